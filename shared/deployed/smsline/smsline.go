// Package smsline is the deployed line to the SMS gateway.
package smsline

import (
	"context"

	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/sms"
)

// secret is what the operator puts into the gateway's secret.
type secret struct {
	ID        string            `json:"id"`
	Key       string            `json:"key"`
	Region    string            `json:"region"`
	App       string            `json:"app"`
	Sign      string            `json:"sign"`
	Templates map[string]string `json:"templates"` // approved template ids, by kind of notice
}

// Open is the client of the gateway.
func Open(ctx context.Context, w *deployed.World) (*sms.Client, error) {
	base := w.Settings.URL("DOUDI_SMS_URL")
	s, err := secrets.Read[secret](ctx, w, "DOUDI_SMS_SECRET")
	if err != nil {
		return nil, err
	}
	return sms.New(sms.Config{BaseURL: base.String(), HTTP: w.HTTP, SecretID: s.ID, SecretKey: redact.New(s.Key),
		Region: s.Region, AppID: s.App, Sign: s.Sign, Templates: s.Templates, Now: w.Now})
}
