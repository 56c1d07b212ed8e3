package notify

import (
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/redact"
)

// Recipient is who a notice goes to.
type Recipient struct {
	OpenID redact.Text // of the person's WeChat account with this mini-program; may be empty
	Phone  civil.Phone // may be empty
	// Accepted lists the subscription templates the person agreed to.
	Accepted []string
}
