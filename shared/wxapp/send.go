package wxapp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/redact"
)

// Class is what a sending came to.
type Class string

// The classes.
const (
	// Sent: WeChat took the message. It does not say that anybody read it.
	Sent Class = "sent"
	// Permanent: this person cannot get this message here; use another channel.
	Permanent Class = "permanent"
	// Retry: WeChat did not take it now; the same may be sent later.
	Retry Class = "retry"
	// Misconfigured: template, page, field, secret or allow-list is wrong. Raise
	// an alarm, and use another channel meanwhile.
	Misconfigured Class = "misconfigured"
	// Unknown: it may have been sent.
	Unknown Class = "unknown"
)

// Outcome is the result of one Send. There is no error beside it.
type Outcome struct {
	Class Class
	// Errcode is WeChat's; for Sent it is 41030 when the page had to be left out,
	// which deserves an alarm too.
	Errcode int
	Why     string // a code for logs, empty when there is nothing to explain
}

// Message is one subscribe message.
type Message struct {
	To       redact.Text // open id
	Template string      // template id
	Page     string      // where a tap leads, may be empty
	// Data is by field key ("thing3"); values are fitted with Fit.
	Data map[string]string
}

// Send sends one subscribe message. A refused token is fetched again once, and
// a page that is not released is left out once.
func (c *Client) Send(ctx context.Context, m Message) Outcome {
	data := map[string]map[string]string{}
	for key, value := range m.Data {
		fitted, err := Fit(key, value)
		if err != nil {
			return Outcome{Class: Misconfigured, Why: "field-does-not-fit"}
		}
		data[key] = map[string]string{"value": fitted}
	}
	if m.To.Empty() || m.Template == "" || len(data) == 0 {
		return Outcome{Class: Misconfigured, Why: "message-incomplete"}
	}
	o := c.post(ctx, m, m.Page, data)
	if o.Errcode == 41030 && m.Page != "" {
		if again := c.post(ctx, m, "", data); again.Class == Sent {
			return Outcome{Class: Sent, Errcode: 41030, Why: "page-not-released"}
		}
	}
	return o
}

func (c *Client) post(ctx context.Context, m Message, page string, data any) Outcome {
	document := map[string]any{"touser": m.To.Reveal(), "template_id": m.Template, "data": data,
		"miniprogram_state": c.config.State, "lang": "zh_CN"}
	if page != "" {
		document["page"] = page
	}
	body, err := json.Marshal(document)
	if err != nil {
		return Outcome{Class: Misconfigured, Why: "message-incomplete"}
	}
	var refused redact.Text
	for {
		token, errcode, err := c.accessToken(ctx, refused)
		switch {
		case err != nil:
			return Outcome{Class: Retry, Why: "token:" + why(err)} // nothing was sent yet
		case errcode != 0:
			return Outcome{Class: tokenClass(errcode), Errcode: errcode, Why: "token"}
		}
		var got struct {
			Errcode *int `json:"errcode"`
		}
		err = c.call(ctx, http.MethodPost, "/cgi-bin/message/subscribe/send?access_token="+url.QueryEscape(token.Reveal()), body, &got)
		if err != nil || got.Errcode == nil {
			return Outcome{Class: Unknown, Why: why(err)}
		}
		if stale(*got.Errcode) && refused.Empty() {
			refused = token
			continue
		}
		return Outcome{Class: sendClass(*got.Errcode), Errcode: *got.Errcode}
	}
}

func why(err error) string {
	if no, ok := errors.AsType[*outside.NoAnswer](err); ok {
		return string(no.Class)
	}
	return "answer-malformed"
}

func stale(errcode int) bool { return errcode == 40001 || errcode == 42001 || errcode == 40014 }

func tokenClass(errcode int) Class {
	if errcode == -1 || errcode == 45009 || errcode == 45011 {
		return Retry
	}
	return Misconfigured
}

func sendClass(errcode int) Class {
	switch errcode {
	case 0:
		return Sent
	case 40003, 43101: // no such open id; not or no longer subscribed
		return Permanent
	case -1, 45009, 45011, 40001, 42001, 40014: // busy, quota, a token refused twice
		return Retry
	}
	// 40037 template, 41030 page, 47003 field, and whatever WeChat adds: it is not
	// a sent message, and a person must look.
	return Misconfigured
}
