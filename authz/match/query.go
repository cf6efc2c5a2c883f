package match

import (
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// inQuery is yes or no only if every reader of the query agrees. Envoy compares
// names and values undecoded and takes the first value of a name. Upstreams
// decode, and take the first value, the last or all. So the condition must hold
// for all values of its name or for none, decoded and undecoded.
//
// Some readers split the query at ";" as well. What becomes of a parameter that is
// an alternate of the name depends on the reader, whatever its value: a text, a
// list, an object.
func (c *condition) inQuery(v *View) verdict {
	if v.Partial {
		return maybe
	}
	result := c.splitAt(v, "&")
	if strings.Contains(v.Query, ";") && result != c.splitAt(v, "&;") {
		return maybe
	}
	return result
}

func (c *condition) splitAt(v *View, separators string) verdict {
	var raw, decoded tally
	query := v.Query
	for query != "" {
		pair := query
		if i := strings.IndexAny(query, separators); i >= 0 {
			pair, query = query[:i], query[i+1:]
		} else {
			query = ""
		}
		name, value, _ := strings.Cut(pair, "=")
		sent, is := name == c.name, authz.DecodeForm(name)
		if authz.IsAlternate(is, c.name) {
			return maybe
		}
		if !sent && is != c.name {
			continue
		}
		if c.regex != nil && len(value) > maxText {
			return maybe
		}
		holds := c.holds(v, value)
		if sent {
			raw.count(holds)
		}
		if d := authz.DecodeForm(value); d != value {
			holds = c.holds(v, d)
		}
		decoded.count(holds)
	}
	if result := raw.verdict(); result == decoded.verdict() {
		return result
	}
	return maybe
}

// tally counts the values that one reader finds.
type tally struct{ good, bad bool }

func (t *tally) count(holds bool) {
	t.good = t.good || holds
	t.bad = t.bad || !holds
}

func (t *tally) verdict() verdict {
	switch {
	case t.good && t.bad:
		return maybe
	case t.good:
		return yes
	}
	return no
}
