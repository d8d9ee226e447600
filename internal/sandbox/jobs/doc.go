// Package jobs is the Databricks Jobs API of a twin: jobs, runs, schedules, as versions 2.0 to 2.2 of the real
// service show them to a client.
//
// What a run does is the Executor's; this package decides when it starts, what it is told and what its end means.
// Every job and every run is one JSON file under Config.Dir, replaced whole, so a killed server loses nothing that
// it has answered. A run is terminal only when its executor has returned.
package jobs
