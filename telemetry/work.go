package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// RegisterWork adds the metrics of the scheduler of what is expensive.
func (m *Metrics) RegisterWork(stats func() work.Stats) { m.registry.MustRegister(queues{stats}) }

// queues collects the metrics whenever they are asked for.
type queues struct{ stats func() work.Stats }

var (
	workSlots   = prometheus.NewDesc("agentauth_work_slots", "Threads that expensive work may take.", nil, nil)
	workRunning = prometheus.NewDesc("agentauth_work_running", "Threads that expensive work takes now.", nil, nil)
	workWaiting = prometheus.NewDesc("agentauth_work_waiting", "Expensive tasks that wait for their turn.", nil, nil)
	workRun     = prometheus.NewDesc("agentauth_work_tasks_total", "Expensive tasks that ended, by class.", []string{"class"}, nil)
	workRefused = prometheus.NewDesc("agentauth_work_refused_total", "Expensive tasks that found no place or time, by class: their checks are 503 Overloaded.", []string{"class"}, nil)
	workBusy    = prometheus.NewDesc("agentauth_work_busy_seconds_total", "For how long expensive tasks ran, by class.", []string{"class"}, nil)
	workWaited  = prometheus.NewDesc("agentauth_work_waited_seconds_total", "For how long expensive tasks waited for their turn, by class.", []string{"class"}, nil)
)

func (q queues) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{workSlots, workRunning, workWaiting, workRun, workRefused, workBusy, workWaited} {
		ch <- d
	}
}

func (q queues) Collect(ch chan<- prometheus.Metric) {
	s := q.stats()
	ch <- prometheus.MustNewConstMetric(workSlots, prometheus.GaugeValue, float64(s.Slots))
	ch <- prometheus.MustNewConstMetric(workRunning, prometheus.GaugeValue, float64(s.Running))
	ch <- prometheus.MustNewConstMetric(workWaiting, prometheus.GaugeValue, float64(s.Waiting))
	for class, c := range s.Classes {
		ch <- prometheus.MustNewConstMetric(workRun, prometheus.CounterValue, float64(c.Run), class)
		ch <- prometheus.MustNewConstMetric(workRefused, prometheus.CounterValue, float64(c.Refused), class)
		ch <- prometheus.MustNewConstMetric(workBusy, prometheus.CounterValue, c.Busy.Seconds(), class)
		ch <- prometheus.MustNewConstMetric(workWaited, prometheus.CounterValue, c.Waited.Seconds(), class)
	}
}
