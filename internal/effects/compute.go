package effects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/ledger"
)

// Needs are what runs need of a workspace that is not made for them: clusters and cluster policies, by id.
type Needs struct{ Clusters, Policies []string }

// Compute adds what a compute names; nil names nothing.
func (n *Needs) Compute(c *environments.Compute) {
	if c != nil {
		n.add(c.ExistingCluster, c.Policy)
	}
}

// Jobs adds what the jobs among the values name.
func (n *Needs) Jobs(values ledger.Values) {
	for _, v := range values {
		var job struct {
			Tasks []struct {
				Cluster string `json:"existing_cluster_id"`
				New     struct {
					Policy string `json:"policy_id"`
				} `json:"new_cluster"`
			} `json:"tasks"`
			Shared []struct {
				New struct {
					Policy string `json:"policy_id"`
				} `json:"new_cluster"`
			} `json:"job_clusters"`
		}
		if json.Unmarshal([]byte(v), &job) != nil {
			continue // a slot's
		}
		for _, t := range job.Tasks {
			n.add(t.Cluster, t.New.Policy)
		}
		for _, c := range job.Shared {
			n.add("", c.New.Policy)
		}
	}
}

func (n *Needs) add(cluster, policy string) {
	if cluster != "" && !slices.Contains(n.Clusters, cluster) {
		n.Clusters = append(n.Clusters, cluster)
	}
	if policy != "" && !slices.Contains(n.Policies, policy) {
		n.Policies = append(n.Policies, policy)
	}
}

// There makes sure that all of it is there. What may not be looked at is taken to be.
func (s *Site) There(ctx context.Context, n Needs) error {
	var missing []error
	look := func(what, id string, err error) error {
		switch {
		case err == nil, errors.Is(err, databricks.ErrForbidden):
			return nil
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, fmt.Errorf("workspace %s has no %s %s", s.Workspace.Name(), what, id))
			return nil
		}
		return err
	}
	for _, id := range n.Clusters {
		if err := look("cluster", id, s.Workspace.Cluster(ctx, id)); err != nil {
			return err
		}
	}
	for _, id := range n.Policies {
		if err := look("cluster policy", id, s.Workspace.Policy(ctx, id)); err != nil {
			return err
		}
	}
	return errors.Join(missing...)
}
