package config_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/config"
)

// FuzzSetting puts anything into a setting. What a getter gives back has the form that
// was asked for and no problem is noted, or it is the zero value and the problem names
// the setting, and never what was in it.
func FuzzSetting(f *testing.F) {
	for _, v := range []string{"doudi", "3", "90s", "https://api.example.cn/v3", "http://127.0.0.1:8080", "http://[::1%25eth0]/", "http://localhost.evil.cn", "prod", "", " x", "x\n", "\x7f",
		"9223372036854775808", "-1", "1e3", "1h1h", "https://u:canary-canary@x.cn", "https:///x", "//x", "HTTPS://x.cn", "http://2130706433/", "https://x.cn/%zz", "\xff"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		r := config.From(func(name string) (string, bool) { return v, name == "SETTING" })
		noted := 0
		// good demands that a getter's answer and what it noted go together.
		good := func(what string, ok, zero bool) {
			var said []string
			if e, is := r.Err().(*config.Error); is {
				said = e.Problems[noted:]
			}
			noted += len(said)
			for _, s := range said {
				if !strings.HasPrefix(s, "SETTING ") || len(v) > 14 && strings.Contains(s, v) {
					t.Errorf("%s: %q says %q", what, v, s)
				}
			}
			if len(said) > 1 || len(said) == 0 && !ok || len(said) == 1 && !zero {
				t.Errorf("%s of %q: noted %q, of the form %t, zero %t", what, v, said, ok, zero)
			}
		}
		text := r.Text("SETTING")
		good("text", text == v && v != "" && text == strings.TrimSpace(text) && !strings.ContainsAny(text, "\n\r\x00\x7f"), text == "")
		n := r.Int("SETTING", 1, 100)
		good("whole number", n >= 1 && n <= 100, n == 0)
		d := r.Duration("SETTING", time.Second, time.Hour)
		good("time", d >= time.Second && d <= time.Hour, d == 0)
		word := r.Enum("SETTING", "test", "prod")
		good("word", word == "test" || word == "prod", word == "")
		u := r.URL("SETTING")
		sound := false
		if u != nil {
			ip, err := netip.ParseAddr(u.Hostname())
			here := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
			sound = u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && (u.Scheme == "https" || u.Scheme == "http" && here)
		}
		good("address", sound, u == nil)
		if r.Has("SETTING") != (v != "") || r.Has("OTHER") {
			t.Errorf("has %q: %t", v, r.Has("SETTING"))
		}
	})
}
