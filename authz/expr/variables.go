package expr

import (
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/agentauth-dev/agentauth/authz"
)

var (
	requestType = types.NewObjectType("Request")
	sourceType  = types.NewObjectType("Source")
	stringMap   = types.NewMapType(types.StringType, types.StringType)
	anyMap      = types.NewMapType(types.StringType, types.DynType)
)

// request is the request of an Input, and source is the peer that sent it. Both
// are the Input itself, so that reading them allocates nothing.
type (
	request Input
	source  Input
)

func always[T any](*T) bool { return true }

// textsOfRequest, textsOfIdentity and listsOfIdentity are fields by name.
var (
	textsOfRequest = map[string]func(*authz.Request) string{
		"id":     func(r *authz.Request) string { return r.ID },
		"method": func(r *authz.Request) string { return r.Method },
		"path":   func(r *authz.Request) string { return r.Path },
		"scheme": func(r *authz.Request) string { return r.Scheme },
		"host":   func(r *authz.Request) string { return r.Host },
	}
	textsOfIdentity = map[string]func(*authz.Identity) string{
		"method":       func(i *authz.Identity) string { return i.Method },
		"issuer":       func(i *authz.Identity) string { return i.Issuer },
		"subject":      func(i *authz.Identity) string { return i.Subject },
		"credentialId": func(i *authz.Identity) string { return i.CredentialID },
	}
	listsOfIdentity = map[string]func(*authz.Identity) []string{
		"audiences": func(i *authz.Identity) []string { return i.Audiences },
		"scopes":    func(i *authz.Identity) []string { return i.Scopes },
		"groups":    func(i *authz.Identity) []string { return i.Groups },
	}
)

var requestFields = fields{
	"id":     requestText("id"),
	"method": requestText("method"),
	"path":   requestText("path"),
	"scheme": requestText("scheme"),
	"host":   requestText("host"),
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

func requestText(name string) *types.FieldType {
	get := textsOfRequest[name]
	return text("request."+name, MaxValue, func(r *request) (string, *cache) { return get(r.Request), r.cache })
}

// instant is a field of a time; the zero time is not set.
func instant[T any](path string, get func(*T) time.Time) *types.FieldType {
	return optional(path, types.TimestampType,
		func(o *T) bool { return !get(o).IsZero() },
		func(o *T) any { return types.Timestamp{Time: get(o)} })
}

var (
	identityType = types.NewObjectType("Identity")
	actorType    = types.NewObjectType("Actor")
)

// identity is the identity of an Input, and actor is the actor of the identity.
// Both are the Input itself, like request.
type (
	identity Input
	actor    Input
)

var identityFields = fields{
	"method":       identityText("method"),
	"issuer":       identityText("issuer"),
	"subject":      identityText("subject"),
	"credentialId": identityText("credentialId"),
	"audiences":    identityTexts("audiences"),
	"scopes":       identityTexts("scopes"),
	"groups":       identityTexts("groups"),
	"claims": field("identity.claims", anyMap,
		func(i *identity) bool { return len(i.Identity.Claims) > 0 },
		func(i *identity) (any, error) { return i.Identity.Claims, nil }),
	"actor": optional("identity.actor", actorType,
		func(i *identity) bool { return i.Identity.Actor != nil },
		func(i *identity) any { return (*actor)(i) }),
	"expiresAt": instant("identity.expiresAt", func(i *identity) time.Time { return i.Identity.ExpiresAt }),
}

var actorFields = fields{
	"issuer":  actorText("identity.actor.issuer", func(a *authz.Actor) string { return a.Issuer }),
	"subject": actorText("identity.actor.subject", func(a *authz.Actor) string { return a.Subject }),
}

// actorText is a text of an actor that can be read. Of another actor it is not set, and
// reading it is an error.
func actorText(path string, get func(*authz.Actor) string) *types.FieldType {
	f := text(path, MaxEntry, func(a *actor) (string, *cache) { return get(a.Identity.Actor), a.cache })
	read := f.GetFrom
	f.GetFrom = func(target any) (any, error) {
		if a, ok := target.(*actor); ok && a != nil && a.Identity.Actor.Unreadable {
			return nil, failure(path + " cannot be read: the act of the token is no object (RFC 8693 4.1); claimMappings.actor can read other forms")
		}
		return read(target)
	}
	return f
}

func identityText(name string) *types.FieldType {
	get := textsOfIdentity[name]
	return text("identity."+name, MaxEntry, func(i *identity) (string, *cache) { return get(i.Identity), i.cache })
}

// identityTexts is a list that may be empty. CEL does not check the entries of a
// list of strings, so all are checked before.
func identityTexts(name string) *types.FieldType {
	path, get := "identity."+name, listsOfIdentity[name]
	return field(path, types.NewListType(types.StringType),
		func(i *identity) bool { return len(get(i.Identity)) > 0 },
		func(i *identity) (any, error) {
			list := get(i.Identity)
			return types.NewStringList(types.DefaultTypeAdapter, list), i.cache.readable(path, list)
		})
}

// identities are the identities by method. The map is made when it is read.
func (a *activation) identities() ref.Val {
	if a.cache != nil && a.cache.identities != nil {
		return a.cache.identities
	}
	named := make(map[string]*authz.Identity, len(a.Identities))
	for _, i := range a.Identities {
		named[i.Method] = i
	}
	m := types.NewMap(identityMap{a.cache}, named)
	if a.cache != nil {
		a.cache.identities = m
	}
	return m
}

// identityMap is the adapter of the map of identities by method.
type identityMap struct{ cache *cache }

func (o identityMap) NativeToValue(v any) ref.Val {
	i, ok := v.(*authz.Identity)
	if !ok {
		return adapter{}.NativeToValue(v)
	}
	return adapter{}.NativeToValue(&identity{Identity: i, cache: o.cache})
}
