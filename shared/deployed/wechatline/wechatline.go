// Package wechatline is the deployed line to WeChat: the mini-program's id from
// the settings, its secret and its approved templates from the secret.
package wechatline

import (
	"context"

	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

// secret is what the operator puts into WeChat's secret.
type secret struct {
	Secret    string              `json:"secret"`
	Page      string              `json:"page"`      // opened by a tap on a message; the application's id is appended
	Templates map[string]Template `json:"templates"` // of subscription messages, by kind of notice
}

// Template is one approved template: its id, and which part of the words goes
// into which of its fields.
type Template struct {
	ID     string            `json:"id"`
	Fields map[string]string `json:"fields"`
}

// Line is the client, and what belongs to the mini-program.
type Line struct {
	Client    *wxapp.Client
	AppID     string
	Page      string
	Templates map[string]Template
}

// Open is the line to WeChat.
func Open(ctx context.Context, w *deployed.World) (Line, error) {
	app, base := w.Settings.Text("DOUDI_WECHAT_APP_ID"), w.Settings.URL("DOUDI_WECHAT_URL")
	s, err := secrets.Read[secret](ctx, w, "DOUDI_WECHAT_SECRET")
	if err != nil {
		return Line{}, err
	}
	c, err := wxapp.New(wxapp.Config{BaseURL: base.String(), HTTP: w.HTTP, AppID: app, Secret: redact.New(s.Secret), Now: w.Now})
	return Line{c, app, s.Page, s.Templates}, err
}
