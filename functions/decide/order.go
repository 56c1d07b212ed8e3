package decide

import (
	"context"
	"errors"
	"regexp"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/order"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// CashLimits are the region's limits for money handed over from the reserve.
type CashLimits struct{ CaseFen, DayFen money.Fen }

// AnotherPayee asks to pay a failed or returned award after all. The account is
// still the same person's; there is no payee who is an agent.
type AnotherPayee struct {
	Account redact.Text `json:"account" api:"required,max=40"`
	Reason  string      `json:"reason" api:"required,min=4,max=1000,lines"`
}

// CashReceipt says that cash was handed over.
type CashReceipt struct {
	Receipt string `json:"receipt_sha256" api:"required,min=64,max=64"`
	Note    string `json:"note,omitempty" api:"max=1000,lines"`
}

// Thawing says what was found out about a frozen payment.
type Thawing struct {
	Reason string `json:"reason" api:"required,min=10,max=1000,lines"`
}

// OrderOut is something asked for, which another person must complete.
type OrderOut struct {
	Noted
	Order string `json:"order"`
	Kind  string `json:"kind"`
	Award string `json:"award"`
	Tail  string `json:"account_tail,omitempty"`
}

// asking is what differs between the kinds of order.
type asking struct {
	kind    order.Kind
	action  staff.Action
	allowed func(payout.Payout) bool
	fill    func(context.Context, order.Order) (order.Order, string, error) // with the account's tail, if any
	note    string
}

// ask records an order. Nothing about the payment changes until another person
// completes it.
func ask(ctx context.Context, d Deps, call httpapi.Request, q asking) (httpapi.Reply[OrderOut], error) {
	id := d.IDs.New()
	return act(ctx, d, call, wish{action: q.action}, func(k desk) (application.Step[OrderOut], error) {
		var none application.Step[OrderOut]
		p, err := payout.Get(ctx, d.Table, payout.Key(k.app.ID, k.app.Award.ID))
		if err != nil {
			return none, err
		}
		if !q.allowed(p) {
			return none, payout.ErrState
		}
		next, err := k.app.Note()
		if err != nil {
			return none, err
		}
		o := order.New(id, k.app, k.app.Award.ID, q.kind, k.actor(), k.at)
		o.Payout = p.Version
		o, tail, err := q.fill(ctx, o)
		if err != nil {
			return none, err
		}
		writes, err := o.Writes("asked", k.actor(), k.at)
		if err != nil {
			return none, err
		}
		e := k.event(next, "order_asked", event.Facts{"order": id, "kind": string(q.kind), "award": o.Award})
		if err := k.note(ctx, &e, q.note); err != nil {
			return none, err
		}
		out := OrderOut{noted(next), id, string(q.kind), o.Award, tail}
		return application.Step[OrderOut]{Next: next, Event: e, Also: writes, Out: out}, nil
	})
}

func askPayee(ctx context.Context, d Deps, call httpapi.Call[AnotherPayee]) (httpapi.Reply[OrderOut], error) {
	account, err := civil.ParseAccount(call.Body.Account.Reveal())
	if err != nil {
		return httpapi.Reply[OrderOut]{}, badField("/account", err)
	}
	return ask(ctx, d, call.Request, asking{order.Payee, staff.RequestPayee,
		func(p payout.Payout) bool {
			return p.Award.Rail.ByMachine() && (p.State == payout.Failed || p.State == payout.Returned)
		},
		func(ctx context.Context, o order.Order) (order.Order, string, error) {
			o, err := o.WithAccount(ctx, d.Box, d.Blind, account)
			return o, account.Tail4(), err
		}, call.Body.Reason})
}

// badField is the problem of one field that a value type found.
func badField(pointer string, err error) error {
	var f fault.Fields
	if p, ok := errors.AsType[civil.Problem](err); ok {
		f.Add(pointer, p.Code, p.Detail)
		return f.Err()
	}
	return err
}

var hash = regexp.MustCompile(`^[0-9a-f]{64}$`)

func askCash(ctx context.Context, d Deps, call httpapi.Call[CashReceipt]) (httpapi.Reply[OrderOut], error) {
	if !hash.MatchString(call.Body.Receipt) {
		var f fault.Fields
		f.Add("/receipt_sha256", "format", "应为64位小写十六进制的收据照片校验值。")
		return httpapi.Reply[OrderOut]{}, f.Err()
	}
	return ask(ctx, d, call.Request, asking{order.Cash, staff.HandOutCash,
		func(p payout.Payout) bool { return p.Award.Rail == award.ReserveCash && p.State == payout.Due },
		func(_ context.Context, o order.Order) (order.Order, string, error) {
			o.Receipt = call.Body.Receipt
			return o, "", nil
		}, call.Body.Note})
}

func askThaw(ctx context.Context, d Deps, call httpapi.Call[Thawing]) (httpapi.Reply[OrderOut], error) {
	return ask(ctx, d, call.Request, asking{order.Thaw, staff.RequestThaw,
		func(p payout.Payout) bool { return p.State == payout.Frozen },
		func(_ context.Context, o order.Order) (order.Order, string, error) { return o, "", nil }, call.Body.Reason})
}

// seconds is which action completes an order of each kind.
var seconds = map[order.Kind]staff.Action{order.Payee: staff.ApprovePayee, order.Cash: staff.ConfirmCash, order.Thaw: staff.ApproveThaw}

// completeOrder is the second person's step: what was asked for happens, in one
// transaction with the payout as it was when it was asked.
func completeOrder(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (httpapi.Reply[OrderOut], error) {
	// The kind of an order never changes, so the question to the policies may be
	// taken from a first look; everything else is read again inside.
	if _, _, err := d.acting(ctx, call.Principal.ID); err != nil {
		return httpapi.Reply[OrderOut]{}, err
	}
	first, err := d.orderOf(ctx, call.Path("id"), call.Path("order"))
	if err != nil {
		return httpapi.Reply[OrderOut]{}, err
	}
	earlier := func(_ context.Context, a application.Application, r *staff.Request) error {
		r.Earlier = []string{first.Asked.ID, first.Asked.Person}
		if a.Proposal != nil {
			r.Authority = a.Proposal.Authority
		}
		return nil
	}
	return act(ctx, d, call.Request, wish{seconds[first.Kind], earlier}, func(k desk) (application.Step[OrderOut], error) {
		var none application.Step[OrderOut]
		o, err := order.Get(ctx, d.Table, k.app.ID, first.ID)
		if err != nil {
			return none, err
		}
		p, err := payout.Get(ctx, d.Table, payout.Key(k.app.ID, o.Award))
		if err != nil {
			return none, err
		}
		done, err := o.Complete(k.actor(o.Asked.Person))
		if err != nil {
			return none, err
		}
		if p.Version != o.Payout {
			return none, payout.ErrMovedOn
		}
		next, err := k.app.Note()
		if err != nil {
			return none, err
		}
		var also []table.Write
		switch o.Kind {
		case order.Payee:
			also, err = k.payAgain(ctx, &next, o, p)
		case order.Cash:
			also, _, err = payout.PayCash(ctx, d.Table, k.app, p, payout.CashPayment{Handler: o.Asked, Witness: k.actor(o.Asked.Person),
				Receipt: o.Receipt, CaseFen: d.Cash.CaseFen, DayFen: d.Cash.DayFen, At: k.at})
		case order.Thaw:
			var thawed payout.Outcome
			if thawed, err = payout.Step(p, payout.Thaw{First: o.Asked, Second: k.actor(o.Asked.Person)}, k.actor(o.Asked.Person), k.at); err == nil {
				also, err = thawed.Writes()
			}
		}
		if err != nil {
			return none, err
		}
		writes, err := done.Writes("completed", k.actor(o.Asked.Person), k.at)
		if err != nil {
			return none, err
		}
		e := k.event(next, "order_completed", event.Facts{"order": o.ID, "kind": string(o.Kind), "award": o.Award, "asked_by": o.Asked.ID})
		return application.Step[OrderOut]{Next: next, Event: e, Also: append(also, writes...), Out: OrderOut{Noted: noted(next), Order: o.ID, Kind: string(o.Kind), Award: o.Award},
			Lost: func(failed *table.ConditionError) error { return broke(payout.Refusal(failed, p.Award, k.at)) }}, nil
	})
}

// orderOf reads the order in the caller's path. One that is not there looks like
// an application that is not there.
func (d Deps) orderOf(ctx context.Context, applicationID, id string) (order.Order, error) {
	o, err := order.Get(ctx, d.Table, applicationID, id)
	if errors.Is(err, order.ErrNotFound) {
		return o, application.ErrNotFound
	}
	return o, err
}

// payAgain pays a failed or returned award to the account that o asks for, and
// makes that the account of the application.
func (k desk) payAgain(ctx context.Context, next *application.Application, o order.Order, p payout.Payout) ([]table.Write, error) {
	d := k.deps
	account, err := o.OpenAccount(ctx, d.Box)
	if err != nil {
		return nil, err
	}
	particulars, version, err := application.OpenParticulars(ctx, d.Table, d.Box, k.app.ID)
	if err != nil {
		return nil, err
	}
	particulars.Account = account
	kept, err := particulars.Seal(ctx, d.Box, k.app.ID, version+1)
	if err != nil {
		return nil, err
	}
	payee, err := payout.Payee{Name: particulars.Payee().Name, Account: account}.Seal(ctx, d.Box, k.app.ID, o.Award, p.Reservation+1)
	if err != nil {
		return nil, err
	}
	retry := payout.Retry{Payee: o.Payee, Payees: application.AccountRefs(d.Blind, account)[1:], First: o.Asked, Second: k.actor(o.Asked.Person)}
	if p.Award.Rail == award.WxPay {
		retry.Rail = award.Bank // an account is no wallet
	}
	writes, _, err := payout.Again(ctx, d.Table, k.app, p, retry, payee, k.at)
	if err != nil {
		return nil, err
	}
	if next.Payee != "" && next.Payee != o.Payee {
		next.PayeeChange = &application.PayeeChange{At: k.at, Staff: true}
	}
	next.Payee = o.Payee
	changed := *next
	changed.Version = k.app.Version // holds are numbered by the version they are found on
	found, err := d.office().Inspection().Inspect(ctx, inspection.Scene{App: changed, Particulars: &particulars, Approver: retry.Second, By: inspector, At: k.at})
	if err != nil {
		return nil, err
	}
	*next = found.Held(*next)
	also, err := inspected(ctx, d, found)
	if err != nil {
		return nil, err
	}
	return append(append(writes, also...), table.Replace{Item: kept}), nil
}
