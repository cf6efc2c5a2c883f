package engine

import (
	"maps"
	"slices"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// keyTable is the API keys that one selector selects.
type keyTable struct {
	namespace string
	labels    map[string]v1alpha1.LabelValue
	selected  []fingerprint
	keys      apikey.Table
	problems  []authz.Problem
}

// table returns the keys of a selector: the previous table if it selects the
// same Secrets, else a new one of Secrets that are parsed only if they changed.
func (c *compiler) table(namespace string, labels map[string]v1alpha1.LabelValue) *keyTable {
	id := namespace
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		id += "\x00" + k + "=" + string(labels[k])
	}
	if t := c.next.tables[id]; t != nil {
		return t
	}
	selected := c.objects.selectKeys(namespace, labels)
	secrets := make([]*apikey.Secret, len(selected))
	t := &keyTable{namespace: namespace, labels: labels}
	for i, o := range selected {
		t.selected = append(t.selected, c.objects.printOf(o))
		secrets[i] = c.keySecret(o)
	}
	if old := c.prev.tables[id]; old != nil && slices.Equal(old.selected, t.selected) {
		t = old
	} else {
		t.keys, t.problems = apikey.NewTable(secrets)
		for _, o := range selected {
			if o.Omitted != "" {
				t.problems = append(t.problems, authz.Problem{
					Severity: authz.Unresolved, Ref: "Secret " + o.Namespace + "/" + o.Name, Message: o.Omitted, Reason: v1alpha1.ReasonRefInvalid})
			}
		}
	}
	c.next.tables[id] = t
	return t
}

// keySecret parses a Secret, or takes over what it was parsed to before.
func (c *compiler) keySecret(o *Object) *apikey.Secret {
	fp := c.objects.printOf(o)
	s := c.next.secrets[fp]
	if s == nil {
		if s = c.prev.secrets[fp]; s == nil {
			s = apikey.Parse(o.Namespace, o.Name, o.Annotations, o.Data)
		}
		c.next.secrets[fp] = s
	}
	return s
}
