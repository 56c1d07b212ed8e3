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

// Line is where the gateway is.
type Line struct {
	w      *deployed.World
	base   string
	secret secrets.Secret
}

// In is the line that the settings name.
func In(w *deployed.World) Line {
	return Line{w, w.Settings.Address("DOUDI_SMS_URL"), secrets.Named(w, "DOUDI_SMS_SECRET")}
}

// Open is the client of the gateway.
func (l Line) Open(ctx context.Context, r *secrets.Reading) (*sms.Client, error) {
	s, err := secrets.Read[secret](ctx, r, l.secret)
	if err != nil {
		return nil, err
	}
	return sms.New(sms.Config{BaseURL: l.base, HTTP: l.w.HTTP, SecretID: s.ID, SecretKey: redact.New(s.Key),
		Region: s.Region, AppID: s.App, Sign: s.Sign, Templates: s.Templates, Now: l.w.Now})
}
