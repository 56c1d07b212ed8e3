package notify

import (
	"context"
	"log/slog"
	"strings"

	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/sms"
)

// SMS sends short messages. The template of a kind is named like the kind.
type SMS struct {
	Client *sms.Client
	Log    *slog.Logger
}

// Reaches reports whether there is a mobile number to send to.
func (s SMS) Reaches(to Recipient, _ notice.Kind) bool { return to.Phone.Mobile() }

var smsOutcomes = map[sms.Class]notice.Outcome{
	sms.Sent: notice.Taken, sms.Refused: notice.Refusal, sms.Busy: notice.Busy, sms.Unknown: notice.Unclear,
}

// Send sends n as a short message. The template holds the sentence; the only
// variable is the amount, where there is one.
func (s SMS) Send(ctx context.Context, to Recipient, n notice.Notice) (notice.Outcome, string) {
	var params []string
	if amount := n.Words().Amount; amount != "" {
		params = append(params, strings.TrimPrefix(amount, "¥"))
	}
	o := s.Client.Send(ctx, sms.Message{To: to.Phone, Template: string(n.Kind), Params: params, Session: n.Application})
	if o.Alarm {
		s.Log.ErrorContext(ctx, "short message misconfigured", "kind", string(n.Kind), "code", o.Code)
	}
	return smsOutcomes[o.Class], o.Code
}
