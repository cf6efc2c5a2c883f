package expr

import (
	"time"

	"cel.dev/cel-go/common/types"

	"github.com/agentauth-dev/agentauth/authz"
)

var (
	requestType = types.NewObjectType("Request")
	sourceType  = types.NewObjectType("Source")
	textMap     = types.NewMapType(types.StringType, types.StringType)
	anyMap      = types.NewMapType(types.StringType, types.DynType)
)

func always[T any](*T) bool { return true }

var requestFields = fields{
	"id":     text("request.id", func(r *authz.Request) string { return r.ID }),
	"method": text("request.method", func(r *authz.Request) string { return r.Method }),
	"path":   text("request.path", func(r *authz.Request) string { return r.Path }),
	"scheme": text("request.scheme", func(r *authz.Request) string { return r.Scheme }),
	"host":   text("request.host", func(r *authz.Request) string { return r.Host }),
	"headers": unset("request.headers", textMap, always, func(r *authz.Request) any {
		return textView[headers]{headers{r}}
	}),
	"query": unset("request.query", textMap, always, func(r *authz.Request) any {
		return textView[query]{query{r}}
	}),
	"time": instant("request.time", func(r *authz.Request) time.Time { return r.Time }),
	"body": unset("request.body", types.BytesType,
		func(r *authz.Request) bool { return r.BodyKnown },
		func(r *authz.Request) any { return types.Bytes(r.Body) }),
	"source": unset("request.source", sourceType, always, func(r *authz.Request) any { return &r.Source }),
}

var sourceFields = fields{
	"address":   text("request.source.address", func(s *authz.Source) string { return s.Address }),
	"principal": text("request.source.principal", func(s *authz.Source) string { return s.Principal }),
}

// instant is a time; the zero time is none.
func instant[T any](path string, get func(*T) time.Time) *types.FieldType {
	return unset(path, types.TimestampType,
		func(o *T) bool { return !get(o).IsZero() },
		func(o *T) any { return types.Timestamp{Time: get(o)} })
}
