package expr

import (
	"time"

	"cel.dev/cel-go/common/types"

	"github.com/agentauth-dev/agentauth/authz"
)

var (
	requestType = types.NewObjectType("Request")
	sourceType  = types.NewObjectType("Source")
	stringMap   = types.NewMapType(types.StringType, types.StringType)
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
	"headers": optional("request.headers", stringMap, always, func(r *request) any {
		return textMap[headers]{headers{r}}
	}),
	"query": optional("request.query", stringMap, always, func(r *request) any {
		return textMap[query]{query{r}}
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
	"source": optional("request.source", sourceType, always, func(r *request) any { return (*source)(r) }),
}

var sourceFields = fields{
	"address":   text("request.source.address", MaxValue, func(s *source) (string, *cache) { return s.Request.Source.Address, s.cache }),
	"principal": text("request.source.principal", MaxValue, func(s *source) (string, *cache) { return s.Request.Source.Principal, s.cache }),
}

func requestText(path string, get func(*authz.Request) string) *types.FieldType {
	return text(path, MaxValue, func(r *request) (string, *cache) { return get(r.Request), r.cache })
}

// instant is a time; the zero time is none.
func instant[T any](path string, get func(*T) time.Time) *types.FieldType {
	return optional(path, types.TimestampType,
		func(o *T) bool { return !get(o).IsZero() },
		func(o *T) any { return types.Timestamp{Time: get(o)} })
}
