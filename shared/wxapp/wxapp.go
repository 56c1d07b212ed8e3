// Package wxapp is the server side of the WeChat mini-program: sign-in codes,
// the access token and subscribe messages. It refuses to keep session keys and
// to put a secret, a token or an open id into an error, and it knows no notice
// and no person.
//
// Source: developers.weixin.qq.com/miniprogram/dev/server.
package wxapp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/redact"
)

// Config is what a Client needs. HTTP, Deadline and Limit may be zero.
type Config struct {
	BaseURL  string // https://api.weixin.qq.com
	HTTP     *http.Client
	AppID    string
	Secret   redact.Text
	Now      func() time.Time
	Deadline time.Duration
	Limit    int64
	// State is the mini-program version a message opens: formal, trial or
	// developer; empty is formal.
	State string
}

// Client talks for one mini-program. It is safe for concurrent use.
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
		return nil, errors.New("wxapp: base URL must have a host and no query")
	}
	if c.AppID == "" || c.Secret.Empty() || c.Now == nil {
		return nil, errors.New("wxapp: app id, secret and clock are required")
	}
	switch c.State {
	case "":
		c.State = "formal"
	case "formal", "trial", "developer":
	default:
		return nil, errors.New("wxapp: state must be formal, trial or developer")
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	return &Client{config: c, caller: outside.Caller{HTTP: c.HTTP, Deadline: c.Deadline, Limit: c.Limit}}, nil
}

// Identity is who signed in. An open id belongs to one mini-program, so the
// person is known by app id and open id together.
type Identity struct {
	OpenID  redact.Text
	UnionID redact.Text // empty unless the mini-program is bound to an open platform account
}

// Code2Session trades a sign-in code for an identity. A code works once, so
// this is never tried again by itself: after ErrNoAnswer the mini-program must
// fetch a new code. The session key in the answer is dropped. Faults:
// ErrCodeRefused, ErrCodeOfOtherApp, ErrUserBlocked, ErrBusy, ErrNoAnswer,
// ErrConfig.
func (c *Client) Code2Session(ctx context.Context, code string) (Identity, error) {
	if code == "" || len(code) > 128 {
		return Identity{}, ErrCodeRefused
	}
	q := url.Values{"appid": {c.config.AppID}, "secret": {c.config.Secret.Reveal()}, "js_code": {code}, "grant_type": {"authorization_code"}}
	var got struct {
		Errcode int    `json:"errcode"`
		OpenID  string `json:"openid"`
		UnionID string `json:"unionid"`
	}
	if err := c.call(ctx, http.MethodGet, "/sns/jscode2session?"+q.Encode(), nil, &got); err != nil {
		return Identity{}, ErrNoAnswer.Because(err)
	}
	switch got.Errcode {
	case 0:
	case 40029, 40163: // wrong or expired; used before
		return Identity{}, ErrCodeRefused
	case 40013:
		return Identity{}, ErrCodeOfOtherApp
	case 40226:
		return Identity{}, ErrUserBlocked
	case -1, 45009, 45011:
		return Identity{}, ErrBusy
	default: // 40125, 40164, 40243 and whatever WeChat adds: only an operator can help
		return Identity{}, ErrConfig
	}
	if got.OpenID == "" || len(got.OpenID) > 64 {
		return Identity{}, ErrNoAnswer
	}
	return Identity{redact.New(got.OpenID), redact.New(got.UnionID)}, nil
}

// accessToken is the cached token, or a new one. stale is a token that WeChat
// just refused: it is fetched anew unless another call did so meanwhile.
func (c *Client) accessToken(ctx context.Context, stale redact.Text) (redact.Text, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.token.Empty() && c.token != stale && c.config.Now().Before(c.expires) {
		return c.token, 0, nil
	}
	// Never force_refresh: it kills the token of every other instance. In normal
	// mode WeChat gives all of them the same one, so no lock between instances.
	body, err := json.Marshal(map[string]any{"grant_type": "client_credential", "appid": c.config.AppID, "secret": c.config.Secret.Reveal()})
	if err != nil {
		return redact.Text{}, 0, err
	}
	var got struct {
		Errcode int    `json:"errcode"`
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
	}
	if err := c.call(ctx, http.MethodPost, "/cgi-bin/stable_token", body, &got); err != nil {
		return redact.Text{}, 0, err
	}
	if got.Errcode != 0 {
		return redact.Text{}, got.Errcode, nil
	}
	if got.Token == "" || len(got.Token) > 2048 || got.Expires < 0 || got.Expires > 86400 {
		return redact.Text{}, 0, errShape
	}
	c.token = redact.New(got.Token)
	c.expires = c.config.Now().Add(max(30*time.Second, time.Duration(got.Expires-60)*time.Second))
	return c.token, 0, nil
}

var errShape = errors.New("wxapp: answer is not what WeChat documents")

// call makes one HTTP call. WeChat answers 200 to everything and types JSON as
// text/plain, so only the body decides. Errors carry no URL: it holds the
// secret or the token.
func (c *Client) call(ctx context.Context, method, pathAndQuery string, body []byte, out any) error {
	h := http.Header{}
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	a, err := c.caller.Do(ctx, method, c.config.BaseURL+pathAndQuery, h, body)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK || json.Unmarshal(a.Body, out) != nil {
		return errShape
	}
	return nil
}
