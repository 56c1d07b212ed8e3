// Package sms sends short messages through Tencent Cloud (API 2021-01-11,
// signature TC3-HMAC-SHA256). It refuses to compose text: a message is a
// template the carrier has approved and its parameters. Numbers, parameters and
// keys appear in no error.
//
// Source: cloud.tencent.com/document/api/382/55981 and /382/59177.
package sms

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/redact"
)

// ParameterLimit is the longest template parameter in characters that carriers
// let through.
const ParameterLimit = 20

// Config is what a Client needs. HTTP, Deadline and Limit may be zero.
type Config struct {
	BaseURL   string // https://sms.tencentcloudapi.com
	HTTP      *http.Client
	SecretID  string
	SecretKey redact.Text
	Region    string // ap-guangzhou, ap-beijing or ap-nanjing
	AppID     string // SmsSdkAppId
	Sign      string // approved signature, 2 to 12 characters, without brackets
	// Templates maps our names to approved template ids.
	Templates map[string]string
	Now       func() time.Time
	Deadline  time.Duration
	Limit     int64
}

// Client sends for one account. It is safe for concurrent use.
type Client struct {
	config Config
	caller outside.Caller
	host   string
}

// New checks the configuration.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("sms: base URL must have a host and no query")
	}
	if c.SecretID == "" || c.SecretKey.Empty() || c.Region == "" || c.AppID == "" || c.Now == nil {
		return nil, errors.New("sms: secret id, secret key, region, app id and clock are required")
	}
	if n := utf8.RuneCountInString(c.Sign); n < 2 || n > 12 || len(c.Templates) == 0 {
		return nil, errors.New("sms: a signature of 2 to 12 characters and templates are required")
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	return &Client{config: c, caller: outside.Caller{HTTP: c.HTTP, Deadline: c.Deadline, Limit: c.Limit}, host: u.Host}, nil
}

// Class is what a sending came to.
type Class string

// The classes.
const (
	// Sent: the provider took it.
	Sent Class = "sent"
	// Refused: it will be refused again: number, template, signature or content.
	Refused Class = "refused"
	// Busy: not taken now; the same may be sent later.
	Busy Class = "busy"
	// Unknown: it may have been sent. The provider knows no repeat, so sending
	// again may send twice.
	Unknown Class = "unknown"
)

// Outcome is the result of one Send. There is no error beside it.
type Outcome struct {
	Class Class
	// Code is the provider's, or a class of outside.NoAnswer, or one of ours in
	// lower case.
	Code   string
	Serial string // the provider's number for a message it took
	// Alarm: the account, signature or template is wrong and an operator must look.
	Alarm bool
}

// Message is one short message to one mobile number.
type Message struct {
	To       civil.Phone
	Template string // our name for it
	Params   []string
	Session  string // ours, comes back in receipts; no personal data
}

// Send sends one message.
func (c *Client) Send(ctx context.Context, m Message) Outcome {
	template, ok := c.config.Templates[m.Template]
	switch {
	case !ok:
		return Outcome{Class: Refused, Code: "template-unknown", Alarm: true}
	case !m.To.Mobile():
		return Outcome{Class: Refused, Code: "not-a-mobile-number"}
	case len(m.Session) > 512:
		return Outcome{Class: Refused, Code: "session-too-long", Alarm: true}
	}
	for _, p := range m.Params {
		if n := utf8.RuneCountInString(p); n == 0 || n > ParameterLimit || !utf8.ValidString(p) || strings.ContainsAny(p, "【】\r\n") {
			return Outcome{Class: Refused, Code: "parameter-does-not-fit", Alarm: true}
		}
	}
	body, err := json.Marshal(struct {
		PhoneNumberSet   []string
		SmsSdkAppId      string
		TemplateId       string
		SignName         string
		TemplateParamSet []string
		SessionContext   string `json:",omitempty"`
	}{[]string{"+86" + m.To.Reveal()}, c.config.AppID, template, c.config.Sign, m.Params, m.Session})
	if err != nil {
		return Outcome{Class: Refused, Code: "message-malformed", Alarm: true}
	}
	now := c.config.Now()
	h := http.Header{}
	h.Set("Content-Type", contentType)
	h.Set("X-TC-Action", Action)
	h.Set("X-TC-Version", Version)
	h.Set("X-TC-Region", c.config.Region)
	h.Set("X-TC-Timestamp", strconv.FormatInt(now.Unix(), 10))
	h.Set("Authorization", Authorization(c.config.SecretID, c.config.SecretKey.Reveal(), c.host, now, body))
	a, err := c.caller.Do(ctx, http.MethodPost, c.config.BaseURL+"/", h, body)
	if err != nil {
		return Outcome{Class: Unknown, Code: string(outside.ClassOf(err))}
	}
	return read(a)
}

// read turns an answer into an outcome. Only an answer in the documented shape
// decides anything.
func read(a outside.Answer) Outcome {
	var got struct {
		Response struct {
			Error *struct {
				Code string
			}
			SendStatusSet []struct {
				SerialNo string
				Code     string
			}
		}
	}
	if a.Status != http.StatusOK || json.Unmarshal(a.Body, &got) != nil {
		return Outcome{Class: Unknown, Code: "answer-malformed"}
	}
	if e := got.Response.Error; e != nil {
		return classify(clean(e.Code), "")
	}
	if len(got.Response.SendStatusSet) != 1 {
		return Outcome{Class: Unknown, Code: "answer-malformed"}
	}
	return classify(clean(got.Response.SendStatusSet[0].Code), clean(got.Response.SendStatusSet[0].SerialNo))
}

// clean lets through only what a code or number is made of, so that no answer
// can write into our logs.
func clean(s string) string {
	if len(s) > 100 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune(".:-_", r)
	}) {
		return "unreadable"
	}
	return s
}

func classify(code, serial string) Outcome {
	o := Outcome{Class: Refused, Code: code, Serial: serial}
	switch {
	case code == "Ok":
		return Outcome{Class: Sent, Serial: serial}
	case code == "" || code == "unreadable" || strings.HasPrefix(code, "InternalError"):
		// An internal error, Timeout among them, does not say that nothing was sent.
		o.Class = Unknown
	case strings.HasPrefix(code, "LimitExceeded") || strings.HasPrefix(code, "RequestLimitExceeded") ||
		code == "ResourceInsufficient" || strings.HasPrefix(code, "ResourceUnavailable"):
		o.Class = Busy
	case code == "FailedOperation.InsufficientBalanceInSmsPackage":
		o.Class, o.Alarm = Busy, true
	case code == "FailedOperation.PhoneNumberInBlacklist" || strings.HasPrefix(code, "InvalidParameterValue.IncorrectPhoneNumber"):
		// The person's own business, no fault of the account.
	default:
		o.Alarm = true
	}
	return o
}
