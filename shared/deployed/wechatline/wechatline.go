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

// Line is where WeChat is, and which mini-program is ours.
type Line struct {
	AppID string

	w      *deployed.World
	base   string
	secret secrets.Secret
}

// In is the line that the settings name.
func In(w *deployed.World) Line {
	return Line{w.Settings.Text("DOUDI_WECHAT_APP_ID"), w, w.Settings.Address("DOUDI_WECHAT_URL"), secrets.Named(w, "DOUDI_WECHAT_SECRET")}
}

// Program is the client, and what belongs to the mini-program.
type Program struct {
	Client    *wxapp.Client
	Page      string
	Templates map[string]Template
}

// Open is our mini-program.
func (l Line) Open(ctx context.Context, r *secrets.Reading) (Program, error) {
	s, err := secrets.Read[secret](ctx, r, l.secret)
	if err != nil {
		return Program{}, err
	}
	c, err := wxapp.New(wxapp.Config{BaseURL: l.base, HTTP: l.w.HTTP, AppID: l.AppID, Secret: redact.New(s.Secret), Now: l.w.Now})
	return Program{c, s.Page, s.Templates}, err
}
