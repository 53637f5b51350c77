package subscription

import "fmt"

// Code is what a refused request is called in its answer.
type Code string

// The codes of subscription requests. The server package gives each its status.
const (
	CodeInvalidRequest Code = "INVALID_REQUEST"
	CodeURLRejected    Code = "WEBHOOK_URL_REJECTED"
	CodeTokenInvalid   Code = "TOKEN_INVALID"
	CodeNotFound       Code = "SUBSCRIPTION_NOT_FOUND"
	CodeExists         Code = "SUBSCRIPTION_ALREADY_EXISTS"
	CodeFenced         Code = "FENCED"
	CodeClaimed        Code = "ALREADY_CLAIMED"
	CodeNoWork         Code = "NO_PENDING_WORK"
	CodeInvalidOffset  Code = "INVALID_OFFSET"
	CodeNoRoute        Code = "NOT_FOUND"
	CodeMethod         Code = "METHOD_NOT_ALLOWED"
)

// Error is a refusal that a client may be told.
type Error struct {
	Code    Code
	Message string
	// Holder and Generation say who has claimed what, for CodeClaimed.
	Holder     string
	Generation int64
	// Allow are the methods that there are, for CodeMethod.
	Allow string
}

func (e *Error) Error() string { return e.Message }

func refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// invalid refuses a field of a request.
func invalid(field, format string, args ...any) error {
	return refuse(CodeInvalidRequest, "%s: %s", field, fmt.Sprintf(format, args...))
}

func errNoSubscription(id string) error {
	return refuse(CodeNotFound, "there is no subscription %q", id)
}
