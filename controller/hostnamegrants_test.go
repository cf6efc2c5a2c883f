package controller

import "testing"

func TestAGrantsConfigMapThatCannotBeReadIsThereAllTheSame(t *testing.T) {
	i := &item{unreadable: "spec: not an object"}
	i.Namespace, i.Name = "agentauth", "grants"
	if o := i.hostnameGrants(); o.Namespace != "agentauth" || o.Name != "grants" || o.Omitted == "" {
		t.Errorf("expected an object that says that its data is missing, got %+v", o)
	}
}
