// Package wecom signs staff in through WeCom (企业微信): it trades a code of the
// web login for a member of our own corporation. Outsiders get a code too, and
// an open id instead of a member's name; they are refused here. It refuses to
// know who a member is at work, and to put a secret, a token or a member into an
// error.
//
// Source: developer.work.weixin.qq.com, 获取访问用户身份.
package wecom

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/redact"
)

// What a code can come to besides a member.
var (
	// ErrRefused: the code is wrong, used or late, or whoever has it is no member.
	ErrRefused = errors.New("wecom: the code is of no member")
	// ErrUnavailable: WeCom did not answer, or not so that it could be understood.
	// The code may be used up.
	ErrUnavailable = errors.New("wecom: no answer")
	// ErrConfig: the corporation's id, secret or address list is wrong; only an
	// operator can help.
	ErrConfig = errors.New("wecom: refused for what we are configured with")
)

// Config is what a Client needs. HTTP, Deadline and Limit may be zero.
type Config struct {
	BaseURL  string // https://qyapi.weixin.qq.com
	HTTP     *http.Client
	CorpID   string
	Secret   redact.Text // of the application that staff sign in to
	Now      func() time.Time
	Deadline time.Duration
	Limit    int64
}

// Client talks for one application of one corporation. It is safe for
// concurrent use.
type Client struct {
	config Config
	caller outside.Caller

	mu      sync.Mutex // held over a fetch, so that one instance fetches once
	token   redact.Text
	expires time.Time
}

// New checks the configuration.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("wecom: base URL must have a host and no query")
	}
	if c.CorpID == "" || c.Secret.Empty() || c.Now == nil {
		return nil, errors.New("wecom: corporation, secret and clock are required")
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	return &Client{config: c, caller: outside.Caller{HTTP: c.HTTP, Deadline: c.Deadline, Limit: c.Limit}}, nil
}

// member is what WeCom lets a member be called; read when the first one comes,
// because citizens sign in through the same function.
var member = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$`) })

// Member is the member that a code stands for: one name in one corporation, the
// configured one. A code works once, so it is sent again only when WeCom refused
// our token and did not look at it. Faults: ErrRefused, ErrUnavailable,
// ErrConfig.
func (c *Client) Member(ctx context.Context, code string) (string, error) {
	if code == "" || len(code) > 512 {
		return "", ErrRefused
	}
	var stale redact.Text
	for {
		token, err := c.accessToken(ctx, stale)
		if err != nil {
			return "", err
		}
		var got struct {
			Errcode *int   `json:"errcode"`
			Member  string `json:"userid"`
		}
		q := url.Values{"access_token": {token.Reveal()}, "code": {code}}
		if err := c.get(ctx, "/cgi-bin/auth/getuserinfo", q, &got); err != nil || got.Errcode == nil {
			return "", ErrUnavailable
		}
		switch *got.Errcode {
		case 0:
			if !member().MatchString(got.Member) { // an outsider has none
				return "", ErrRefused
			}
			return got.Member, nil
		case 40029:
			return "", ErrRefused
		case -1, 45009, 45011:
			return "", ErrUnavailable
		case 40014, 42001:
			if stale.Empty() {
				stale = token
				continue
			}
		}
		return "", ErrConfig
	}
}

// early is how long before its end a token is no longer used.
const early = 5 * time.Minute

// accessToken is a token that works, and is not the one that was refused.
func (c *Client) accessToken(ctx context.Context, refused redact.Text) (redact.Text, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.token.Empty() && c.config.Now().Before(c.expires) && c.token.Reveal() != refused.Reveal() {
		return c.token, nil
	}
	var got struct {
		Errcode *int   `json:"errcode"`
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	q := url.Values{"corpid": {c.config.CorpID}, "corpsecret": {c.config.Secret.Reveal()}}
	if err := c.get(ctx, "/cgi-bin/gettoken", q, &got); err != nil || got.Errcode == nil || *got.Errcode == -1 || *got.Errcode == 45009 {
		return redact.Text{}, ErrUnavailable
	}
	if *got.Errcode != 0 || got.Token == "" {
		return redact.Text{}, ErrConfig
	}
	c.token = redact.New(got.Token)
	c.expires = c.config.Now().Add(max(0, min(time.Duration(got.Expires)*time.Second, 2*time.Hour)-early))
	return c.token, nil
}

func (c *Client) get(ctx context.Context, path string, q url.Values, into any) error {
	a, err := c.caller.Do(ctx, http.MethodGet, c.config.BaseURL+path+"?"+q.Encode(), nil, nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return errors.New("wecom: not answered with 200")
	}
	return json.Unmarshal(a.Body, into)
}
