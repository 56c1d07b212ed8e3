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

// Open is the client of WeCom.
func Open(ctx context.Context, w *deployed.World) (*wecom.Client, error) {
	base := w.Settings.URL("DOUDI_STAFF_URL")
	s, err := secrets.Read[secret](ctx, w, "DOUDI_STAFF_SECRET")
	if err != nil {
		return nil, err
	}
	return wecom.New(wecom.Config{BaseURL: base.String(), HTTP: w.HTTP, CorpID: s.Corp, Secret: redact.New(s.Secret), Now: w.Now})
}
