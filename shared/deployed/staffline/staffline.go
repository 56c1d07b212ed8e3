// Package staffline is the deployed line to the staff's single sign-on.
package staffline

import (
	"context"

	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/wecom"
)

// secret is what the operator puts into the single sign-on's secret. The
// corporation is in it, so that one cannot be changed without the other.
type secret struct {
	Corp   string `json:"corp"`
	Secret string `json:"secret"`
}

// Line is where the single sign-on is.
type Line struct {
	w      *deployed.World
	base   string
	secret secrets.Secret
}

// In is the line that the settings name.
func In(w *deployed.World) Line {
	return Line{w, w.Settings.Address("DOUDI_STAFF_URL"), secrets.Named(w, "DOUDI_STAFF_SECRET")}
}

// Open is the client of WeCom.
func (l Line) Open(ctx context.Context, r *secrets.Reading) (*wecom.Client, error) {
	s, err := secrets.Read[secret](ctx, r, l.secret)
	if err != nil {
		return nil, err
	}
	return wecom.New(wecom.Config{BaseURL: l.base, HTTP: l.w.HTTP, CorpID: s.Corp, Secret: redact.New(s.Secret), Now: l.w.Now})
}
