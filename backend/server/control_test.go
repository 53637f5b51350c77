package server

import (
	"fmt"
	"net/http"
	"testing"

	"tailrace/backend/subscription"
)

func TestSubscriptionErrors(t *testing.T) {
	for code, want := range map[subscription.Code]int{
		subscription.CodeInvalidRequest: 400,
		subscription.CodeURLRejected:    400,
		subscription.CodeTokenInvalid:   401,
		subscription.CodeNotFound:       404,
		subscription.CodeNoRoute:        404,
		subscription.CodeMethod:         405,
		subscription.CodeExists:         409,
		subscription.CodeFenced:         409,
		subscription.CodeClaimed:        409,
		subscription.CodeNoWork:         409,
		subscription.CodeInvalidOffset:  409,
	} {
		h := http.Header{}
		rep, known := classify(h, fmt.Errorf("wrapped: %w", &subscription.Error{Code: code, Allow: "GET"}))
		if !known || rep.status != want || rep.code != string(code) {
			t.Errorf("%s: %+v, %v", code, rep, known)
		}
		if _, challenged := map[string][]string(h)["WWW-Authenticate"]; challenged != (want == 401) || h.Get("Allow") != "GET" {
			t.Errorf("%s: headers %v", code, h)
		}
	}
	claimed := &subscription.Error{Code: subscription.CodeClaimed, Message: "taken by <w1>", Holder: "w1", Generation: 7}
	want := `{"error":{"code":"ALREADY_CLAIMED","message":"taken by <w1>","current_holder":"w1","generation":7}}` + "\n"
	if got := string(errorBody("ALREADY_CLAIMED", claimed.Message, claimed)); got != want {
		t.Errorf("body %s", got)
	}
}
