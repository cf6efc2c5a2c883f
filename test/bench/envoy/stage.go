package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// stage is everything that is up while the bench measures.
type stage struct {
	envoy int            // process ids
	pids  map[string]int // of the servers, by variant.server
	ports map[string]int // Envoy's, by the variant's name in its set: set/name
	token string
}

func openStage(ctx context.Context, r *parts.Run, o options, sets []set) (*stage, error) {
	s := &stage{pids: map[string]int{}, ports: map[string]int{}}
	var err error
	if s.token, err = token(); err != nil {
		return nil, err
	}
	d := doors{emptySocket: filepath.Join(r.Dir, "empty.sock")}
	var stop func() error
	if d.empty, s.pids[empty], stop, err = startEmpty(d.emptySocket); err != nil {
		return nil, err
	}
	r.Ends(stop)
	policies := filepath.Join(r.Dir, "policies")
	if err := writePolicies(policies, o.policies); err != nil {
		return nil, err
	}
	a, err := parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: r.Dir, Binary: o.agentauth, Args: []string{"--policies", policies}})
	if err != nil {
		return nil, err
	}
	r.Ends(a.Stop)
	d.agentauth, s.pids[agentauth] = a.GRPCAddress, a.Pid()
	return s, s.openEnvoy(ctx, r, sets, d)
}

func (s *stage) openEnvoy(ctx context.Context, r *parts.Run, sets []set, d doors) error {
	var variants []variant
	var ports []int
	for _, set := range sets {
		for _, v := range set.variants {
			port, err := parts.FreePort()
			if err != nil {
				return err
			}
			key := set.name + "/" + v.name
			if s.ports[key] != 0 {
				return fmt.Errorf("two variants are named %s", key)
			}
			s.ports[key] = port
			variants, ports = append(variants, v), append(ports, port)
		}
	}
	configuration, err := bootstrap(variants, ports, d)
	if err != nil {
		return err
	}
	envoy, err := parts.RunEnvoy(ctx, r.Dir, configuration)
	if err != nil {
		return err
	}
	r.Ends(envoy.Stop)
	s.envoy = envoy.Pid()
	return nil
}
