package notify

import (
	"context"
	"log/slog"
	"slices"
	"strconv"

	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

// Template is one approved subscription template: its id, and which part of the
// words goes into which of its fields ("thing3": "item").
type Template struct {
	ID     string
	Fields map[string]string
}

// WeChat sends subscription messages.
type WeChat struct {
	Client    *wxapp.Client
	Table     table.Store
	Templates map[notice.Kind]Template
	Page      string // opened by a tap on a notice about an application, whose id is appended
	Log       *slog.Logger
}

// Reaches reports whether the person accepts a message of this kind.
func (w WeChat) Reaches(to Recipient, kind notice.Kind) bool {
	t, ok := w.Templates[kind]
	return ok && !to.OpenID.Empty() && slices.Contains(to.Accepted, t.ID)
}

// wechatOutcomes says what each class of the client means for a notice.
var wechatOutcomes = map[wxapp.Class]notice.Outcome{
	wxapp.Sent: notice.Taken, wxapp.Permanent: notice.Refusal, wxapp.Retry: notice.Busy,
	wxapp.Misconfigured: notice.Refusal, wxapp.Unknown: notice.Unclear,
}

// Send sends n as a subscription message.
func (w WeChat) Send(ctx context.Context, to Recipient, n notice.Notice) (notice.Outcome, string) {
	t := w.Templates[n.Kind]
	words := n.Words()
	parts := map[string]string{"title": words.Title, "item": words.Item, "amount": words.Amount, "hint": words.Hint}
	data := map[string]string{}
	for field, part := range t.Fields {
		data[field] = parts[part]
	}
	page := "" // of a complaint nothing is said, not even which
	if n.Application != "" {
		page = w.Page + n.Application
	}
	o := w.Client.Send(ctx, wxapp.Message{To: to.OpenID, Template: t.ID, Page: page, Data: data})
	if o.Class == wxapp.Misconfigured || (o.Class == wxapp.Sent && o.Errcode != 0) {
		w.Log.ErrorContext(ctx, "subscription message misconfigured", "kind", string(n.Kind), "errcode", o.Errcode, "why", o.Why)
	}
	if o.Class == wxapp.Sent || o.Class == wxapp.Permanent || o.Class == wxapp.Unknown {
		if err := spend(context.WithoutCancel(ctx), w.Table, to.Account, t.ID, o.Class == wxapp.Permanent); err != nil {
			w.Log.WarnContext(ctx, "subscription credit not spent", "err", err)
		}
	}
	return wechatOutcomes[o.Class], strconv.Itoa(o.Errcode)
}
