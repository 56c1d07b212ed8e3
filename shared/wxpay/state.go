package wxpay

import "net/http"

// Status is what we know of a bill after a call.
type Status string

// The statuses. Those in capitals are WeChat Pay's own states, in a verified answer.
const (
	Accepted     Status = "ACCEPTED"          // taken; the person cannot accept it yet
	Processing   Status = "PROCESSING"        // the money is being set aside
	Confirming   Status = "WAIT_USER_CONFIRM" // the person must accept it, within 24 hours
	Transferring Status = "TRANSFERING"       // [sic] accepted by the person, result unknown
	Succeeded    Status = "SUCCESS"           // final: paid
	Failed       Status = "FAIL"              // final: not paid and never will be under this number
	Cancelling   Status = "CANCELING"         // being taken back
	Cancelled    Status = "CANCELLED"         // final: taken back

	NotFound Status = "not-found" // no such bill at this moment: no proof of anything
	Busy     Status = "busy"      // this call was not taken: the same number later
	Short    Status = "short"     // our account is short: the same number after a top-up
	Rejected Status = "rejected"  // refused because of its content: ask first, then a person
	Stopped  Status = "stopped"   // our keys, address or agreement are wrong: nothing will work
	Unknown  Status = "unknown"   // whatever else: ask
)

// Statuses lists every status, for tests that prove tables total.
func Statuses() []Status {
	return []Status{Accepted, Processing, Confirming, Transferring, Succeeded, Failed, Cancelling, Cancelled,
		NotFound, Busy, Short, Rejected, Stopped, Unknown}
}

// known reports whether s is a state of a bill.
func known(s Status) bool {
	switch s {
	case Accepted, Processing, Confirming, Transferring, Succeeded, Failed, Cancelling, Cancelled:
		return true
	}
	return false
}

// Final reports whether a bill in status s never changes again.
func (s Status) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// codes is the whole table of error codes. An error answer need not be signed, so
// nothing in it ends an attempt; its message drives nothing, because its wording
// changes.
var codes = map[string]Status{
	"FREQUENCY_LIMITED":      Busy,
	"FREQUENCY_LIMIT_EXCEED": Busy,
	"NOT_ENOUGH":             Short,
	"INVALID_REQUEST":        Rejected, // among others: this number holds another content
	"PARAM_ERROR":            Rejected,
	"SIGN_ERROR":             Stopped,
	"NO_AUTH":                Stopped,
	"USER_ERROR":             Stopped,
	"APPID_MCHID_NOT_MATCH":  Stopped,
	"ACCOUNTERROR":           Stopped,
	"NOT_FOUND":              NotFound,
	"SYSTEM_ERROR":           Unknown,
}

// Codes lists the error codes we know.
func Codes() []string {
	out := make([]string, 0, len(codes))
	for c := range codes {
		out = append(out, c)
	}
	return out
}

// meaning is what an error answer says: its code decides, and only under an HTTP
// status that fits it. A server that broke does not know what it did.
func meaning(httpStatus int, code string) Status {
	s, ok := codes[code]
	switch {
	case !ok || httpStatus < 400 || httpStatus >= 500:
		return Unknown
	case (s == NotFound) != (httpStatus == http.StatusNotFound):
		return Unknown
	}
	return s
}

// Reasons with which a bill fails because nobody accepted it in time, or because
// we took it back: the money is ours again and nothing is wrong with the payee.
const (
	reasonOverdue = "OVERDUE_CLOSE"
	reasonCancel  = "MCH_CANCEL"
)
