package main

import (
	"log/slog"

	"github.com/agentauth-dev/agentauth/authz/reviews"
	"github.com/agentauth-dev/agentauth/controller/reviewer"
)

// asksCluster is what asks the API server of the cluster; cluster is nil where
// policies come from files.
type asksCluster struct {
	cluster *reviews.Cluster
	close   func()
}

// reviewer makes what asks the cluster of the flags.
func (f *clusterFlags) reviewer(log *slog.Logger, panicked func(any, []byte)) (asksCluster, error) {
	if f.rest == nil {
		return asksCluster{nil, func() {}}, nil
	}
	f.rest.UserAgent = "agentauth/" + versionString()
	r, err := reviewer.New(f.rest, log)
	if err != nil {
		return asksCluster{}, usage("the cluster cannot be used: %v", err)
	}
	return asksCluster{reviews.New(r, panicked), r.Close}, nil
}
