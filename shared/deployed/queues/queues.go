// Package queues is how a deployed function sends: the URL of each queue is a
// setting, and a queue without one stops the function at start.
package queues

import (
	"strings"

	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/queue/sqsqueue"
	"github.com/doudi-aid/doudi/shared/work"
)

// Sender sends to the queues of work named: "pay" is at DOUDI_QUEUE_PAY.
// One that is missing is noted among the problems of the settings.
func Sender(w *deployed.World, to ...work.Queue) *sqsqueue.Sender {
	urls := map[string]string{}
	for _, q := range to {
		if u := w.Settings.URL("DOUDI_QUEUE_" + strings.ToUpper(string(q))); u != nil {
			urls[string(q)] = u.String()
		}
	}
	return sqsqueue.New(w.AWS, urls)
}
