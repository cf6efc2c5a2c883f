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

// request is the request of an Input, and source the peer it came from: the
// Input itself, so that reading them makes nothing.
type (
	request Input
	source  Input
)

func always[T any](*T) bool { return true }

var requestFields = fields{
	"id":     requestText("request.id", func(r *authz.Request) string { return r.ID }),
	"method": requestText("request.method", func(r *authz.Request) string { return r.Method }),
	"path":   requestText("request.path", func(r *authz.Request) string { return r.Path }),
	"scheme": requestText("request.scheme", func(r *authz.Request) string { return r.Scheme }),
	"host":   requestText("request.host", func(r *authz.Request) string { return r.Host }),
	"headers": unset("request.headers", textMap, always, func(r *request) any {
		return textView[headers]{headers{r}}
	}),
	"query": unset("request.query", textMap, always, func(r *request) any {
		return textView[query]{query{r}}
	}),
	"time": instant("request.time", func(r *request) time.Time { return r.Request.Time }),
	"body": field("request.body", types.BytesType,
		func(r *request) bool { return r.Request.BodyKnown },
		func(r *request) (any, error) {
			if !r.Request.BodyKnown {
				return nil, notSet("request.body")
			}
			return types.Bytes(r.Request.Body), within("request.body", len(r.Request.Body), MaxBody)
		}),
	"source": unset("request.source", sourceType, always, func(r *request) any { return (*source)(r) }),
}

var sourceFields = fields{
	"address":   text("request.source.address", MaxValue, func(s *source) (string, *memory) { return s.Request.Source.Address, s.memory }),
	"principal": text("request.source.principal", MaxValue, func(s *source) (string, *memory) { return s.Request.Source.Principal, s.memory }),
}

func requestText(path string, get func(*authz.Request) string) *types.FieldType {
	return text(path, MaxValue, func(r *request) (string, *memory) { return get(r.Request), r.memory })
}

// instant is a time; the zero time is none.
func instant[T any](path string, get func(*T) time.Time) *types.FieldType {
	return unset(path, types.TimestampType,
		func(o *T) bool { return !get(o).IsZero() },
		func(o *T) any { return types.Timestamp{Time: get(o)} })
}
