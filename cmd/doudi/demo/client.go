package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// client speaks to one server as one person. It keeps asking through a server
// that is down for a while, always with the same idempotency key, as a phone in
// a tunnel would.
type client struct {
	base    string
	token   string
	http    *http.Client
	patient time.Duration // how long a server may be away
	away    func()        // told once each time the server goes away
}

// problem is a server's problem document.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Fields []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"fields"`
}

func (p problem) Error() string {
	s := fmt.Sprintf("HTTP %d %s：%s", p.Status, p.Code, p.Title)
	for _, f := range p.Fields {
		s += fmt.Sprintf("\n    %s %s", f.Pointer, f.Detail)
	}
	return s
}

const maxAnswer = 1 << 20

// do sends one request until the server answers, and reads the answer into out.
// A 429 or 503 is asked again; any other problem is returned.
func (c *client) do(ctx context.Context, method, path, key string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	deadline, told := time.Now().Add(c.patient), false
	for {
		status, answer, err := c.once(ctx, method, path, key, body)
		again := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		switch {
		case err == nil && !again:
			return decode(status, answer, out)
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			if err == nil {
				return decode(status, answer, out)
			}
			return fmt.Errorf("%s 没有回应（已等待 %s）：%w", c.base, c.patient, unwrapURL(err))
		}
		if !told {
			told = true
			c.away()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (c *client) once(ctx context.Context, method, path, key string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, answer, err
}

func decode(status int, answer []byte, out any) error {
	if status >= 300 {
		p := problem{Status: status}
		if err := json.Unmarshal(answer, &p); err != nil {
			p.Title = "服务器的回答不是我们认识的格式"
		}
		return p
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// unwrapURL takes the address off a transport error; the caller names it.
func unwrapURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if o, ok := errors.AsType[*net.OpError](err); ok {
		return o.Err
	}
	return err
}
