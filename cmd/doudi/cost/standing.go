package cost

import (
	"fmt"
	"io/fs"

	"go.yaml.in/yaml/v3"

	"github.com/doudi-aid/doudi/shared/work"
)

const (
	monthHours   = 730
	monthSeconds = monthHours * 3600
	// longPoll is how long, in seconds, a poller of Lambda waits on a queue with nothing in it.
	longPoll = 20
	// sweepSeconds is what a run of the sweeper takes that finds nothing.
	sweepSeconds = 0.05
)

// Standing is what a month costs in which nobody applies: what stands in the
// template, the clock, and pollers that wait on empty queues.
func Standing(stack fs.FS, pollers int) (map[Unit]float64, error) {
	out := map[Unit]float64{
		QueueRequest:   monthSeconds / longPoll * float64(pollers),
		LambdaRequest:  monthSeconds / 60,
		LambdaGBSecond: monthSeconds / 60 * sweepSeconds * 0.25,
		ReadUnit:       monthSeconds / 60 * work.Shards * 0.5, // the due index, read empty
		MetricMonth:    20,                                    // names of our own metrics, with their labels
	}
	paid := map[string]Unit{"AWS::CloudWatch::Alarm": AlarmMonth, "AWS::CloudWatch::Dashboard": DashboardMonth, "AWS::KMS::Key": KeyMonth, "AWS::SecretsManager::Secret": SecretMonth}
	hourly := map[string]Unit{"AWS::EC2::NatGateway": NATHour, "AWS::EC2::EIP": PublicAddressHr}
	err := fs.WalkDir(stack, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(stack, name)
		if err != nil {
			return err
		}
		var doc struct {
			Resources map[string]struct {
				Type string `yaml:"Type"`
			} `yaml:"Resources"`
		}
		if err := yaml.Unmarshal(raw, &doc); err != nil {
			return fmt.Errorf("cost: %s: %w", name, err)
		}
		for _, r := range doc.Resources {
			if u, known := paid[r.Type]; known {
				out[u]++
			}
			if u, known := hourly[r.Type]; known {
				out[u] += monthHours
			}
		}
		return nil
	})
	return out, err
}
