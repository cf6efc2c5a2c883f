package audit

import "time"

// Schema is the version of the records. A reader refuses another one. New fields come
// without a new version; a field that goes or gets another meaning makes one.
const Schema = "agentauth.dev/audit/v1"

// Action is what a record is about.
type Action string

// The actions.
const (
	// ActionDecision: a request was decided.
	ActionDecision Action = "decision"
	// ActionPolicy: a policy came in force, changed or went.
	ActionPolicy Action = "policy"
	// ActionRevocation: a revocation came in force, ended or was removed.
	ActionRevocation Action = "revocation"
	// ActionStart: a process began to write.
	ActionStart Action = "start"
	// ActionDropped: records before this one are missing.
	ActionDropped Action = "dropped"
	// ActionStop: a process ended in order.
	ActionStop Action = "stop"
)

// Record is one line of the stream. Its names are those of the Elastic Common Schema
// where that has one; what it has no name for is under agentauth. Texts are valid UTF-8
// and at most 512 bytes long, lists at most 64 entries.
type Record struct {
	// Seq is the number of the line, Prev the SHA-256 of the line before it in hex,
	// without its line break; "" for the first line.
	Seq  uint64 `json:"seq"`
	Prev string `json:"prev"`
	// Schema is [Schema].
	Schema string    `json:"schema"`
	Time   time.Time `json:"@timestamp"`
	Event  Event     `json:"event"`
	Trace  Trace     `json:"trace,omitzero"`
	HTTP   HTTP      `json:"http,omitzero"`
	URL    URL       `json:"url,omitzero"`
	Source Source    `json:"source,omitzero"`
	// Agentauth is what no common schema has a name for.
	Agentauth Details `json:"agentauth,omitzero"`
}

// Event says what happened.
type Event struct {
	// ID is a UUID of version 7, which no other record has.
	ID     string `json:"id,omitzero"`
	Action Action `json:"action"`
	// Outcome is success where the request was let through or answered, failure where
	// it was refused, unknown where nobody could tell (503).
	Outcome string `json:"outcome,omitzero"`
	// Reason is the word of docs/reasons.md.
	Reason string `json:"reason,omitzero"`
	// Duration of the decision is in nanoseconds.
	Duration int64 `json:"duration,omitzero"`
}

// Trace has the trace id of the request's traceparent (W3C Trace Context), which the
// caller may have chosen.
type Trace struct {
	ID string `json:"id,omitzero"`
}

// HTTP is the request and the answer of agentauth.
type HTTP struct {
	Request struct {
		// ID is the proxy's id of the request.
		ID     string `json:"id,omitzero"`
		Method string `json:"method,omitzero"`
	} `json:"request,omitzero"`
	Response struct {
		// StatusCode is that of a refusal, or of agentauth's own answer.
		StatusCode int `json:"status_code,omitzero"`
	} `json:"response,omitzero"`
}

// URL is where the request went. It never has the query.
type URL struct {
	Domain string `json:"domain,omitzero"`
	// Path is as the operator wants it: see [PathMode].
	Path string `json:"path,omitzero"`
}

// Source is the peer of the proxy.
type Source struct {
	IP string `json:"ip,omitzero"`
}

// Details are what is agentauth's own.
type Details struct {
	// Decision is allow, deny, error or respond.
	Decision string `json:"decision,omitzero"`
	// Policy is namespace/name, with the version that decided, or that came in force.
	Policy     string `json:"policy,omitzero"`
	Generation int64  `json:"generation,omitzero"`
	Digest     string `json:"digest,omitzero"`
	// Method is the authentication method that decided, Rule the rule that denied.
	Method string `json:"method,omitzero"`
	Rule   string `json:"rule,omitzero"`
	Detail string `json:"detail,omitzero"`
	// Proxy is who asked for the decision: the name of a client certificate, or else
	// loopback or network. Principal is its peer as the proxy authenticated it.
	Proxy     string `json:"proxy,omitzero"`
	Principal string `json:"principal,omitzero"`
	// Identity was verified and accepted. Refused was verified and refused. Claimed is
	// what somebody wrote: nobody verified it.
	Identity *Identity `json:"identity,omitzero"`
	Refused  *Identity `json:"refused,omitzero"`
	Claimed  *Claim    `json:"claimed,omitzero"`
	// Shadow is what a policy in mode Shadow would have decided.
	Shadow *Shadow `json:"shadow,omitzero"`
	// Sampled is the part of the allowances of the policy that is recorded, of which this
	// is one; left out where all are.
	Sampled float64 `json:"sampled,omitzero"`
	// PathMode is the form of url.path, if it is not full.
	PathMode PathMode `json:"pathMode,omitzero"`

	// Change is what became of a policy: added, changed or removed; or of a revocation:
	// added, ended or removed. PreviousGeneration is the one before, Ready why a policy
	// is or is not ready.
	Change             string `json:"change,omitzero"`
	PreviousGeneration int64  `json:"previousGeneration,omitzero"`
	Ready              string `json:"ready,omitzero"`
	// Revocation is the one that changed.
	Revocation *Revocation `json:"revocation,omitzero"`

	// Process is the process that writes, and Allows which allowances it records where
	// it does not record all, in a record of action start.
	Process *Process `json:"process,omitzero"`
	Allows  []string `json:"allows,omitempty"`
	// Missing is how many records are missing before this one.
	Missing uint64 `json:"missing,omitzero"`
}

// Identity is a caller whose credential was verified.
type Identity struct {
	// Method is the name of the method in the policy that verified it.
	Method       string    `json:"method,omitzero"`
	Issuer       string    `json:"issuer,omitzero"`
	Subject      string    `json:"subject,omitzero"`
	Actor        *Actor    `json:"actor,omitzero"`
	CredentialID string    `json:"credentialId,omitzero"`
	Audiences    []string  `json:"audiences,omitempty"`
	Scopes       []string  `json:"scopes,omitempty"`
	Groups       []string  `json:"groups,omitempty"`
	ExpiresAt    time.Time `json:"expiresAt,omitzero"`
	// Claims are those of [Config.Claims]. What is no text is as JSON has it.
	Claims map[string]string `json:"claims,omitempty"`
	// Cut says that a list or a claim has more than is here.
	Cut bool `json:"cut,omitzero"`
}

// Actor is who acts for the subject.
type Actor struct {
	Issuer  string `json:"issuer,omitzero"`
	Subject string `json:"subject,omitzero"`
	// Unreadable says that the token names an actor in a form that nobody can read.
	Unreadable bool `json:"unreadable,omitzero"`
}

// Claim is what a credential says of its holder that nobody verified.
type Claim struct {
	Method       string `json:"method,omitzero"`
	Issuer       string `json:"issuer,omitzero"`
	Subject      string `json:"subject,omitzero"`
	CredentialID string `json:"credentialId,omitzero"`
}

// Shadow is the decision of a policy in mode Shadow.
type Shadow struct {
	Policy     string `json:"policy"`
	Generation int64  `json:"generation,omitzero"`
	Digest     string `json:"digest,omitzero"`
	Decision   string `json:"decision"`
	Reason     string `json:"reason"`
	StatusCode int    `json:"statusCode,omitzero"`
	Method     string `json:"method,omitzero"`
	Rule       string `json:"rule,omitzero"`
	Detail     string `json:"detail,omitzero"`
}

// Revocation refuses credentials.
type Revocation struct {
	// Name is where it is written: namespace/name of the ConfigMap, and its entry.
	Name string `json:"name"`
	// Revokes is what it names, Scope for which policies it holds.
	Revokes string    `json:"revokes"`
	Scope   string    `json:"scope"`
	Until   time.Time `json:"until"`
	Reason  string    `json:"reason,omitzero"`
}

// Process is who writes.
type Process struct {
	Version string `json:"version"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`
}
