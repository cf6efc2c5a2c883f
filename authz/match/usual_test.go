package match

import "testing"

func TestAUsualPathIsOneThatNoServerReadsOtherwise(t *testing.T) {
	for name, c := range map[string]struct {
		lines     []string
		path      string
		exactCase bool
		want      bool
	}{
		"plain":                       {[]string{"1 a.test prefix:/v1"}, "/v1/orders", false, true},
		"without a match":             {[]string{"1 a.test prefix:/v1"}, "/v2", false, true},
		"a capital in the path":       {[]string{"1 a.test prefix:/v1"}, "/V1/orders", false, false},
		"letter case tells apart":     {[]string{"1 a.test prefix:/v1"}, "/V1/orders", true, true},
		"a capital in an entry":       {[]string{"1 a.test prefix:/V1", "2 a.test prefix:/v1"}, "/v1/orders", false, false},
		"a final slash":               {[]string{"1 a.test exact:/v1"}, "/v1/", false, false},
		"encoded":                     {[]string{"1 a.test prefix:/v1"}, "/v%31", false, false},
		"a parameter of a segment":    {[]string{"1 a.test prefix:/v1"}, "/v1;a=b", false, false},
		"an expression by case":       {[]string{"1 a.test regex:/[A-Z]"}, "/v1", false, false},
		"of an unknown host, nothing": {[]string{"1 b.test prefix:/v1"}, "/v1", false, false},
	} {
		if got := build(t, Options{}, c.lines...).LookupAll("a.test", View{Method: "GET", Path: c.path, ExactCase: c.exactCase}).Usual; got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
