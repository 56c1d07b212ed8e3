package bank

// Action is what a bank code asks of us.
type Action string

// The actions.
const (
	// Fix: final for this attempt; the payee's details are wrong or the account
	// cannot take money, and a person must set that right before a new attempt.
	Fix Action = "fix"
	// Resend: nothing is wrong with the order; the same may be tried again later.
	Resend Action = "resend"
	// Pause: the paying account is short of money. Hold the whole line, tell
	// finance, and go on with the same reference afterwards.
	Pause Action = "pause"
	// Freeze: the bank knows this reference with other content. Somebody paid, or
	// tried to pay, something else under our number: stop and look.
	Freeze Action = "freeze"
	// Stop: our keys, agreement or message are wrong. Nothing will work until an
	// operator repairs that.
	Stop Action = "stop"
	// Look: a code we do not know. A person looks; nothing is concluded from it.
	Look Action = "look"
)

// meanings is the whole code table. Marking a code Resend that is not costs a
// second payment, so a test states each line again.
var meanings = map[string]Action{
	"ACCOUNT_CLOSED":      Fix,
	"ACCOUNT_FROZEN":      Fix,
	"ACCOUNT_NOT_FOUND":   Fix,
	"NAME_MISMATCH":       Fix,
	"NOT_ACTIVATED":       Fix,
	"OVER_LIMIT":          Fix,
	"PAYEE_DECEASED":      Fix,
	"BANK_BUSY":           Resend,
	"RATE_LIMITED":        Resend,
	"INSUFFICIENT_FUNDS":  Pause,
	"DUPLICATE_DIFFERENT": Freeze,
	"BAD_REQUEST":         Stop,
	"BAD_SIGNATURE":       Stop,
	"UNKNOWN_KEY":         Stop,
	"NO_AGREEMENT":        Stop,
}

// Meaning is what a bank code asks of us; Look for one we do not know.
func Meaning(code string) Action {
	if a, ok := meanings[code]; ok {
		return a
	}
	return Look
}

// Codes lists the bank codes we know.
func Codes() []string {
	out := make([]string, 0, len(meanings))
	for c := range meanings {
		out = append(out, c)
	}
	return out
}
