package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cost is what one run of a command took, all its processes together.
type cost struct {
	wall, cpu time.Duration
	largest   int64 // peak memory of its largest process, in bytes; 0 where the system does not tell
	together  int64 // the sum over its processes
}

// pipeline is commands whose outputs go into each other.
type pipeline [][]string

func (p pipeline) String() string {
	var all []string
	for _, c := range p {
		all = append(all, strings.Join(append([]string{filepath.Base(c[0])}, c[1:]...), " "))
	}
	return strings.Join(all, " | ")
}

// run starts the commands in a folder and waits for all of them.
func (p pipeline) run(dir string) (cost, error) {
	var all []*exec.Cmd
	var between []io.Closer
	for i, args := range p {
		c := exec.Command(args[0], args[1:]...)
		c.Dir, c.Stderr = dir, os.Stderr
		if i > 0 {
			r, w, err := os.Pipe()
			if err != nil {
				return cost{}, err
			}
			all[i-1].Stdout, c.Stdin = w, r
			between = append(between, r, w)
		}
		all = append(all, c)
	}
	begin := time.Now()
	for _, c := range all {
		if err := c.Start(); err != nil {
			return cost{}, err
		}
	}
	for _, end := range between {
		_ = end.Close()
	}
	var took cost
	for _, c := range all {
		if err := c.Wait(); err != nil {
			return cost{}, fmt.Errorf("%s: %w", p, err)
		}
		took.cpu += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		peak := peakMemory(c.ProcessState)
		took.largest, took.together = max(took.largest, peak), took.together+peak
	}
	took.wall = time.Since(begin)
	return took, nil
}

// row is what many runs of one command took.
type row struct {
	what string
	runs []cost
}

func (r row) walls() []time.Duration {
	var all []time.Duration
	for _, c := range r.runs {
		all = append(all, c.wall)
	}
	slices.Sort(all)
	return all
}

func (r row) least(of func(cost) float64) float64 {
	least := of(r.runs[0])
	for _, c := range r.runs {
		least = min(least, of(c))
	}
	return least
}

// beside prints two rows and, from the least of each, how they stand to each other.
func beside(w io.Writer, ours, theirs row) {
	for _, r := range []row{ours, theirs} {
		walls := r.walls()
		fmt.Fprintf(w, "  %-44s %3d runs %9s %9s %9s %9s %9s\n", r.what, len(r.runs), shown(walls[0]), shown(walls[len(walls)/2]),
			shown(time.Duration(r.least(func(c cost) float64 { return float64(c.cpu) }))),
			megabytes(r.least(func(c cost) float64 { return float64(c.largest) })), megabytes(r.least(func(c cost) float64 { return float64(c.together) })))
	}
	ratio := func(of func(cost) float64) string {
		if theirs.least(of) == 0 {
			return "-"
		}
		return fmt.Sprintf("%.2f", ours.least(of)/theirs.least(of))
	}
	middle := func(r row) float64 { all := r.walls(); return float64(all[len(all)/2]) }
	fmt.Fprintf(w, "  %-44s %8s %9s %9.2f %9s %9s %9s\n\n", "ratio", "", ratio(func(c cost) float64 { return float64(c.wall) }), middle(ours)/middle(theirs),
		ratio(func(c cost) float64 { return float64(c.cpu) }), ratio(func(c cost) float64 { return float64(c.largest) }), ratio(func(c cost) float64 { return float64(c.together) }))
}

func shown(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func megabytes(b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f MB", b/1e6)
}
