// Package queue carries small messages between functions. A message says where
// to look, never what was found: the table is the truth, and a handler must
// survive its message twice, late, out of order or not at all. It knows no
// noun and no broker; Local is the broker of one machine, and lambdaqueue
// adapts the cloud's.
package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// MaxHops is how many messages may descend from one another.
const MaxHops = 32

// MaxBody is the largest body in bytes, well under SQS's 256 KiB.
const MaxBody = 64 << 10

// MaxDelay is the longest a message may be held back, that of SQS.
const MaxDelay = 15 * time.Minute

// The message attributes by which a cloud's queue carries what is not the body.
const (
	HopsAttribute  = "hops"
	TraceAttribute = "trace"
)

// Message is one delivery. Nothing personal may be in Body.
type Message struct {
	ID      string
	Queue   string
	Body    []byte
	Attempt int    // 1 for the first delivery; an estimate, never to be counted on
	Hops    int    // how many messages led to this one
	Trace   string // from phone to bank and back
}

// Handler does the work of one message. Its error's fault kind decides what
// happens to the message; nil means done.
type Handler func(context.Context, Message) error

// Sender sends a message to the named queue, to arrive after delay at the
// earliest (0 to MaxDelay). When it fails nothing is owed to the caller: the
// sweeper finds whatever was to be done. Hops and trace are taken from ctx.
type Sender interface {
	Send(ctx context.Context, queue string, body []byte, delay time.Duration) error
}

type hopsKey struct{}

// NextHops is the hop count of a message sent under ctx; ErrTooManyHops when
// there have been too many. Senders call it.
func NextHops(ctx context.Context) (int, error) {
	hops, handling := ctx.Value(hopsKey{}).(int)
	if !handling {
		return 0, nil
	}
	if hops >= MaxHops {
		return 0, ErrTooManyHops
	}
	return hops + 1, nil
}

// Run gives m to h and says what becomes of m. An empty disposition means that
// m is done. A panic is an Internal error. Every broker delivers through Run,
// so that all treat a message alike.
func Run(ctx context.Context, m Message, h Handler) (d fault.Disposition, err error) {
	defer func() {
		if p := recover(); p != nil {
			// The panic's own words may hold what the message led to.
			err = ErrPanicked.Because(fmt.Errorf("panic of type %T", p))
			d = fault.Internal.Disposition()
		}
	}()
	if m.Hops > MaxHops {
		return fault.Park, ErrTooManyHops
	}
	ctx = context.WithValue(ctx, hopsKey{}, m.Hops)
	if m.Trace != "" {
		ctx = telemetry.WithTrace(ctx, m.Trace)
	}
	if err := h(ctx, m); err != nil {
		return fault.Of(err).Kind.Disposition(), err
	}
	return "", nil
}
