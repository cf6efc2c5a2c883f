package controller

import (
	"context"

	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// appendRevocations adds a ConfigMap of revocations. Those of agentauth's own namespace
// are the operator's and hold everywhere; they may be among those of all namespaces too.
func appendRevocations(list []revoke.ConfigMap, kind string, i *item, own string) []revoke.ConfigMap {
	o := i.configMap()
	if kind == revocations && o.Namespace == own {
		return list
	}
	return append(list, revoke.ConfigMap{Namespace: o.Namespace, Name: o.Name, Everywhere: o.Namespace == own, Data: o.Data, Unread: o.Omitted})
}

// whoseRevocations is whose revocations an item has.
func whoseRevocations(i *item, own string) string {
	if i.Namespace == own {
		return ownRevocations
	}
	return revocations
}

// revocations are those in force.
func (k *kinds) revocations() (list []revoke.ConfigMap) {
	for _, name := range []string{ownRevocations, revocations} {
		for _, c := range k.inForce(name) {
			for _, o := range c.items.List() {
				list = appendRevocations(list, name, o.(*item), k.own)
			}
		}
	}
	return list
}

// revoke hands over every change of revocations at once: none waits for a load that is
// under way. The next load tells what is wrong with them.
func (c *Cluster) revoke(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.kinds.revoked:
			if c.config.Revoke != nil {
				c.config.Revoke(c.kinds.revocations())
			}
			signal(c.kinds.changed)
		}
	}
}
