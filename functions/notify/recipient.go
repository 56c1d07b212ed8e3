package notify

import (
	"context"
	"errors"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint/announce"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
)

// Recipient is who a notice goes to.
type Recipient struct {
	Account string      // whose credits a subscription message spends
	OpenID  redact.Text // of the person's WeChat account with this mini-program; may be empty
	Phone   civil.Phone // may be empty
	// Accepted lists the subscription templates the person still accepts.
	Accepted []string
}

// Recipient finds whom a notice of application a goes to. It is the account
// that filed it and the telephone of the person helped; FiledForYou goes to that
// telephone alone, because the account is the one it warns of.
func (d Deps) Recipient(ctx context.Context, a application.Application, kind notice.Kind) (Recipient, error) {
	p, _, err := application.OpenParticulars(ctx, d.Table, d.Box, a.ID)
	if err != nil {
		return Recipient{}, err
	}
	r := Recipient{Phone: p.Subject.Phone}
	if kind == notice.FiledForYou {
		return r, nil
	}
	if r.Phone.Empty() && p.Applicant != nil {
		r.Phone = p.Applicant.Phone
	}
	return d.reached(ctx, r, a.Account)
}

// complainant finds whom a notice about a complaint goes to: the address that was
// sealed with it. Nobody else opens it.
func (d Deps) complainant(ctx context.Context, id string) (Recipient, error) {
	to, err := announce.Open(ctx, d.Table, d.Box, id)
	if err != nil {
		return Recipient{}, err
	}
	return d.reached(ctx, Recipient{Phone: civil.StoredPhone(to.Phone.Reveal())}, to.Account)
}

// reached is r with the WeChat address of an account, where there is one.
func (d Deps) reached(ctx context.Context, r Recipient, id string) (Recipient, error) {
	acc, err := account.Get(ctx, d.Table, id)
	if errors.Is(err, account.ErrNotFound) {
		return r, nil // at a counter or by telephone: the number is all there is
	}
	if err != nil {
		return Recipient{}, err
	}
	r.Account, r.Accepted = acc.ID, acc.Accepted()
	r.OpenID, err = acc.Address(ctx, d.Box)
	return r, err
}

// spend takes one message of template from the account's credits. Losing a race
// leaves a credit too many, which WeChat will refuse: the next message then goes
// by SMS.
func spend(ctx context.Context, t table.Store, id, template string, forget bool) error {
	acc, err := account.Get(ctx, t, id)
	if err != nil {
		return err
	}
	next, ok := acc.Spend(template, forget)
	if !ok {
		return nil
	}
	w, err := next.Replace()
	if err != nil {
		return err
	}
	return t.Transact(ctx, w)
}
