// Package rail is the port behind which every way of paying stands: make the
// exact bytes of an attempt, send those bytes, ask about a reference, read what
// the provider tells us unasked. What comes back is in the words of payout, freed
// of any protocol, and there is no error beside it: no call can be mistaken for a
// refusal. It knows no provider and keeps nothing.
package rail

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/redact"
)

// Facts are what a provider promises and limits, the same for every payment.
type Facts struct {
	Rail award.Rail
	// PerSecond is how many orders the provider takes in a second from all of us
	// together; 0 means that it names no such limit.
	PerSecond int
	// Confirm is how long the person has to accept the money; 0 means that nobody
	// need accept it.
	Confirm time.Duration
	// MinFen and MaxFen bound one payment; 0 is no bound of the rail's own.
	MinFen, MaxFen money.Fen
	// Reference is the form that the provider's references have. Those that
	// payout.Reference makes must fit.
	Reference *regexp.Regexp
	// CallbackPath is where the provider sends its news, "" when it sends none.
	CallbackPath string
}

// Order is one attempt to be made into bytes.
type Order struct {
	Reference string // payout.Reference of this attempt
	AmountFen money.Fen
	Payee     payout.Payee
	Purpose   string // what the payee reads: no cause, no illness
}

// Request is what an order became. Raw is sealed and stored before the first
// Send, and sent unchanged ever after: it may hold ciphertext that never comes
// out the same twice. Payee is the keyed digest that the provider's statements
// must repeat.
type Request struct {
	Raw   []byte
	Payee string
}

// Heard is what one call brought. Its Reference is always the one that was asked
// about, its Word is Silence when nothing can be believed.
type Heard struct {
	payout.Said
	// Package is what the person needs to accept the money, when Said is Packaged.
	Package redact.Text
	// Alarm is a code that an operator must know now; "" is none.
	Alarm string
}

// News is what a provider told us unasked, verified. It is a reason to ask and
// never an outcome.
type News struct {
	// ID is of the message, the same when the provider repeats it.
	ID string
	payout.Said
}

// Call is a kind of call, each with its own limit at a provider.
type Call string

// The kinds of call.
const (
	Sending Call = "send"
	Asking  Call = "ask"
	Closing Call = "close"
)

// Rail is one way money moves. It is safe for concurrent use, and holds for any
// number of processes that use the same keys.
type Rail interface {
	Facts() Facts
	// Encode makes the bytes of a new attempt. A wrong order is a fault of kind Invalid.
	Encode(ctx context.Context, o Order) (Request, error)
	// Admit reports whether a call may be made now under the provider's limits for
	// all of us together. What is not admitted stays owed and is tried later.
	Admit(ctx context.Context, c Call) (bool, error)
	// Send gives the stored bytes to the provider. It never says Declined, Retryable,
	// SentBack or NotFound: only an answer to a question ends an attempt.
	Send(ctx context.Context, reference string, raw []byte) Heard
	// Query asks what became of a reference.
	Query(ctx context.Context, reference string) Heard
	// Read verifies a callback over its raw bytes and reads it. Its faults make the
	// provider send again.
	Read(method, path string, header http.Header, raw []byte) (News, error)
}

// Closer is a rail whose orders can be taken back before the person accepts the
// money. What Close brings proves nothing: Query says whether it is closed.
type Closer interface {
	Rail
	Close(ctx context.Context, reference string) Heard
}

// Set is the rails that are in use here, each under its own name. A payout over a
// rail that is not in it stays owed, or unasked, until it is.
type Set map[award.Rail]Rail

// Of makes a set.
func Of(rails ...Rail) Set {
	s := Set{}
	for _, r := range rails {
		s[r.Facts().Rail] = r
	}
	return s
}

// ErrNoCallback: the rail does not take callbacks here. The provider sends again,
// so news that comes before the rail is switched on is not lost.
var ErrNoCallback = fault.New(fault.Unavailable, "rail-not-in-use", "该付款渠道尚未启用。", "This payment rail is not in use here.").After(60)
