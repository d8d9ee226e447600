package sandbox

import (
	"net/http"
	"regexp"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// What ids look like. A twin does not know which clusters and policies the workspace has that it stands for: it has every
// one whose id could be one's.
var (
	clusterID = regexp.MustCompile(`^[0-9]{4}-[0-9]{6}-[0-9a-z]{4,}$`)
	policyID  = regexp.MustCompile(`^[0-9A-F]{16}$`)
)

// clusters are the endpoints that clients ask before they name compute. Notebooks run on this machine, whatever compute
// their job names.
func clusters(m *wire.Mux) {
	for _, v := range []string{"2.0", "2.1"} {
		base := "/api/" + v + "/clusters/"
		m.JSON("GET "+base+"list", func(*http.Request) (any, error) { return nil, nil })
		m.JSON("GET "+base+"get", func(r *http.Request) (any, error) {
			id := r.URL.Query().Get("cluster_id")
			if id == "" {
				return nil, wire.Missing("cluster_id")
			}
			if clusterID.MatchString(id) {
				return map[string]any{"cluster_id": id, "state": "TERMINATED"}, nil
			}
			return nil, wire.Invalid("Cluster %s does not exist", id)
		})
		m.JSON("GET "+base+"spark-versions", func(*http.Request) (any, error) {
			return map[string]any{"versions": []map[string]string{
				{"key": "15.4.x-cpu-ml-scala2.12", "name": "15.4 LTS ML (includes Apache Spark 3.5.0, Scala 2.12)"},
				{"key": "15.4.x-scala2.12", "name": "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)"},
				{"key": "14.3.x-cpu-ml-scala2.12", "name": "14.3 LTS ML (includes Apache Spark 3.5.0, Scala 2.12)"},
				{"key": "14.3.x-scala2.12", "name": "14.3 LTS (includes Apache Spark 3.5.0, Scala 2.12)"},
			}}, nil
		})
		m.JSON("GET "+base+"list-node-types", func(*http.Request) (any, error) {
			return map[string]any{"node_types": []map[string]any{
				{
					"node_type_id": "Standard_DS3_v2", "instance_type_id": "Standard_DS3_v2", "description": "Standard_DS3_v2",
					"category": "General Purpose", "memory_mb": 14336, "num_cores": 4.0, "num_gpus": 0, "is_deprecated": false,
					"is_io_cache_enabled": false, "support_port_forwarding": true,
				},
				{
					"node_type_id": "Standard_DS4_v2", "instance_type_id": "Standard_DS4_v2", "description": "Standard_DS4_v2",
					"category": "General Purpose", "memory_mb": 28672, "num_cores": 8.0, "num_gpus": 0, "is_deprecated": false,
					"is_io_cache_enabled": false, "support_port_forwarding": true,
				},
			}}, nil
		})
	}
	m.JSON("GET /api/2.0/policies/clusters/get", func(r *http.Request) (any, error) {
		id := r.URL.Query().Get("policy_id")
		if policyID.MatchString(id) {
			return map[string]any{"policy_id": id}, nil
		}
		return nil, wire.NotFound("Can't find a cluster policy with id: %s.", id)
	})
	for _, empty := range []string{"/api/2.0/policies/clusters/list", "/api/2.0/instance-pools/list", "/api/2.0/sql/warehouses"} {
		m.JSON("GET "+empty, func(*http.Request) (any, error) { return nil, nil })
	}
}
