package controller

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

const newer = `{"apiVersion":"agentauth.dev/v1alpha1","kind":"AgentAuthPolicy","metadata":{"name":"p","namespace":"shop","later":1},
"spec":{"quota":{"perMinute":5},"routes":[{"hostnames":["a.example.com"],"countries":["NL"]}],"authentication":{"methods":[{"name":"public","anonymous":{}}]}},
"status":{"later":1}}`

// As client-go decodes what comes from the API server, one by one and in lists.
func TestFieldsOfANewerCRDAreNotedAndNotLeftOutInSilence(t *testing.T) {
	scheme := runtime.NewScheme()
	addReceived(scheme, v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
	decode := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode
	one, _, err := decode([]byte(newer), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := decode([]byte(`{"apiVersion":"agentauth.dev/v1alpha1","kind":"AgentAuthPolicyList","metadata":{"resourceVersion":"7"},"items":[`+newer+`]}`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	copied := list.DeepCopyObject().(*receivedList)
	if copied.ResourceVersion != "7" || len(copied.Items) != 1 {
		t.Fatalf("got %+v", copied)
	}
	for _, r := range []runtime.Object{one, one.DeepCopyObject(), &copied.Items[0]} {
		got, err := newItem(&v1alpha1.AgentAuthPolicy{}, r)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := got.(*item).value.(*v1alpha1.AgentAuthPolicy)
		if !ok || p.Name != "p" || len(p.Spec.Routes) != 1 {
			t.Fatalf("got %T %+v", got, got)
		}
		slices.Sort(p.Spec.Unread)
		if want := []string{"spec.quota", "spec.routes[0].countries"}; !slices.Equal(p.Spec.Unread, want) {
			t.Errorf("expected %q, got %q", want, p.Spec.Unread)
		}
	}
	odd, _, err := decode([]byte(`{"apiVersion":"agentauth.dev/v1alpha1","kind":"AgentAuthPolicy","metadata":{"name":1}}`), nil, nil)
	if err != nil || odd.(*received).item(&v1alpha1.AgentAuthPolicy{}).unreadable == "" {
		t.Errorf("expected what is no object to be left out, got %v, %v", odd, err)
	}
}

func TestAPolicyThatCannotBeReadIsNotDecidedByAndKeepsNoOtherFromBeingRead(t *testing.T) {
	scheme := runtime.NewScheme()
	addReceived(scheme, v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
	for spec, want := range map[string]string{
		`{"precedence":{"a":1},"routes":[{"hostnames":["a.example.com"]}],"authentication":{"methods":[{"name":"public","anonymous":{}}]}}`: "spec.precedence",
		`{"routes":[{"hostnames":["a.example.com",{}]}],"authentication":{"methods":[{"name":"public","anonymous":{}}]}}`:                   "spec.routes[0].hostnames[1]",
		`{"routes":"all"}`: "spec.routes",
		`[]`:               "spec",
	} {
		list, _, err := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode([]byte(
			`{"apiVersion":"agentauth.dev/v1alpha1","kind":"AgentAuthPolicyList","items":[{"metadata":{"name":"odd","namespace":"shop","uid":"7"},"spec":`+spec+`,"status":{}},`+newer+`]}`), nil, nil)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		var read [2]*v1alpha1.AgentAuthPolicy
		for i := range read {
			o, err := list.(*receivedList).Items[i].as(&v1alpha1.AgentAuthPolicy{})
			if err != nil {
				t.Fatal(err)
			}
			read[i] = o.(*v1alpha1.AgentAuthPolicy)
		}
		odd, p := read[0], read[1]
		if p.Name != "p" || odd.Name != "odd" || odd.UID != "7" || !slices.Equal(odd.Spec.Unread, []string{want}) {
			t.Errorf("%s: got %+v", spec, odd)
		}
		if problems := validate.Policy(validate.Default(odd)); len(problems) == 0 || problems[0].Field != want {
			t.Errorf("%s: expected it to be invalid, got %v", spec, problems)
		}
	}
}
