package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const groupPartitions = 5

func assignors() []kgo.GroupBalancer {
	return []kgo.GroupBalancer{
		kgo.RangeBalancer(),
		kgo.RoundRobinBalancer(),
		kgo.StickyBalancer(),
		kgo.CooperativeStickyBalancer(),
	}
}

// member commits what it processed before it gives partitions up, and counts its rebalances.
type member struct {
	client *kgo.Client
	values []string

	mutex      sync.Mutex
	assigned   map[int32]bool
	rebalances int
}

func (s *session) member(group, topic string, options ...kgo.Opt) (*member, error) {
	m := &member{assigned: map[int32]bool{}}
	release := func(partitions map[string][]int32) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		for _, partition := range partitions[topic] {
			delete(m.assigned, partition)
		}
	}
	client, err := s.client(append([]kgo.Opt{
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.HeartbeatInterval(200 * time.Millisecond),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(
			func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
				m.mutex.Lock()
				defer m.mutex.Unlock()
				m.rebalances++
				for _, partition := range partitions[topic] {
					m.assigned[partition] = true
				}
			},
		),
		kgo.OnPartitionsRevoked(
			func(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
				if err := client.CommitUncommittedOffsets(ctx); err != nil {
					emit("group/commit-failed", fields{"error": errorName(err)})
				}
				release(partitions)
			},
		),
		kgo.OnPartitionsLost(
			func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { release(partitions) },
		),
	}, options...)...)
	m.client = client
	return m, err
}

func (m *member) poll(ctx context.Context) error {
	m.client.AllowRebalance()
	fetches := poll(ctx, m.client, 7)
	fetches.EachRecord(
		func(record *kgo.Record) { m.values = append(m.values, string(record.Value)) },
	)
	return fetches.Err()
}

func (m *member) partitions() []int32 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Sorted(maps.Keys(m.assigned))
}

func (m *member) rebalanceCount() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.rebalances
}

func (m *member) close() { m.client.CloseAllowingRebalance() }

// pollUntil polls the members in turn until the condition holds.
func pollUntil(ctx context.Context, what string, condition func() bool, members ...*member) error {
	return until(what, func() (bool, error) {
		for _, member := range members {
			if err := member.poll(ctx); err != nil {
				return false, err
			}
		}
		return condition(), nil
	})
}

func balanced(first, second *member) bool {
	both := slices.Sorted(slices.Values(slices.Concat(first.partitions(), second.partitions())))
	return slices.Equal(both, []int32{0, 1, 2, 3, 4}) && len(second.partitions()) > 0
}

func handover(s *session, assignor kgo.GroupBalancer) error {
	at := "group-" + assignor.ProtocolName()
	topic := s.name(at)
	err := errors.Join(
		s.createTopic(topic, groupPartitions, nil),
		s.produceNumbered(topic, groupPartitions, 0, 60),
	)
	if err != nil {
		return err
	}
	first, err := s.member(topic, topic, kgo.Balancers(assignor))
	if err != nil {
		return err
	}
	defer first.close()
	err = pollUntil(s.ctx, "some records", func() bool {
		return len(first.values) >= 20
	}, first)
	if err != nil {
		return err
	}
	emit(at+"/one-member", fields{"partitions": len(first.partitions())})
	others, err := joinAndLeave(s, at, topic, first, assignor)
	if err != nil {
		return err
	}
	if err := s.produceNumbered(topic, groupPartitions, 100, 120); err != nil {
		return err
	}
	complete := func() bool { return len(first.values)+len(others) >= 120 }
	if err := pollUntil(s.ctx, "records after the leave", complete, first); err != nil {
		return err
	}
	emit(at+"/one-member-again", fields{"partitions": len(first.partitions())})
	values := slices.Concat(first.values, others)
	distinct := map[string]bool{}
	for _, value := range values {
		distinct[value] = true
	}
	emit(at+"/handover", fields{"records": len(values), "distinct": len(distinct)})
	if err := first.client.CommitUncommittedOffsets(s.ctx); err != nil {
		return err
	}
	first.close()
	return resume(s, at, topic, assignor)
}

// joinAndLeave adds a second member, which consumes its share, commits and leaves: what it
// consumed.
func joinAndLeave(
	s *session,
	at, topic string,
	first *member,
	assignor kgo.GroupBalancer,
) ([]string, error) {
	second, err := s.member(topic, topic, kgo.Balancers(assignor))
	if err != nil {
		return nil, err
	}
	defer second.close()
	err = pollUntil(s.ctx, "both members", func() bool {
		return balanced(first, second)
	}, first, second)
	if err != nil {
		return nil, err
	}
	if err := s.produceNumbered(topic, groupPartitions, 60, 100); err != nil {
		return nil, err
	}
	complete := func() bool { return len(first.values)+len(second.values) >= 100 }
	if err := pollUntil(s.ctx, "records after the join", complete, first, second); err != nil {
		return nil, err
	}
	counts := []int{len(first.partitions()), len(second.partitions())}
	slices.Sort(counts)
	emit(at+"/two-members", fields{"partitions": counts})
	if err := second.client.CommitUncommittedOffsets(s.ctx); err != nil {
		return nil, err
	}
	second.close()
	alone := func() bool { return len(first.partitions()) == groupPartitions }
	return second.values, pollUntil(s.ctx, "one member again", alone, first)
}

func resume(s *session, at, topic string, assignor kgo.GroupBalancer) error {
	if err := s.produceNumbered(topic, groupPartitions, 120, 125); err != nil {
		return err
	}
	fresh, err := s.member(topic, topic, kgo.Balancers(assignor))
	if err != nil {
		return err
	}
	defer fresh.close()
	err = pollUntil(s.ctx, "the records after the commit", func() bool {
		return len(fresh.values) >= 5
	}, fresh)
	if err != nil {
		return err
	}
	committed, err := s.admin.FetchOffsets(s.ctx, topic)
	if err != nil {
		return err
	}
	emit(at+"/resumed", fields{"values": slices.Sorted(slices.Values(fresh.values))})
	var offsets []int64
	for _, offset := range committed.Sorted() {
		offsets = append(offsets, offset.At)
	}
	emit(at+"/committed", fields{"offsets": offsets})
	return nil
}

func staticMembers(s *session) error {
	topic := s.name("static")
	if err := s.createTopic(topic, 4, nil); err != nil {
		return err
	}
	join := func(instance string) (*member, error) {
		// One round a rebalance, so that a late second one can't be taken for another.
		balancer := kgo.Balancers(kgo.RangeBalancer())
		timeout := kgo.SessionTimeout(30 * time.Second)
		return s.member(topic, topic, kgo.InstanceID(instance), timeout, balancer)
	}
	one, err := join("one")
	if err != nil {
		return err
	}
	defer one.close()
	two, err := join("two")
	if err != nil {
		return err
	}
	defer two.close()
	both := func() bool { return len(one.partitions()) == 2 && len(two.partitions()) == 2 }
	if err := pollUntil(s.ctx, "both members", both, one, two); err != nil {
		return err
	}
	before, rebalances := two.partitions(), one.rebalanceCount()
	two.close()
	again, err := join("two")
	if err != nil {
		return err
	}
	defer again.close()
	err = pollUntil(s.ctx, "the restarted member", func() bool {
		return len(again.partitions()) == 2
	}, one, again)
	if err != nil {
		return err
	}
	emit("static/restarted", fields{
		"samePartitions":       slices.Equal(again.partitions(), before),
		"rebalancesOfTheOther": one.rebalanceCount() - rebalances,
	})
	successor, err := join("two")
	if err != nil {
		return err
	}
	defer successor.close()
	err = pollUntil(s.ctx, "the successor", func() bool {
		return len(successor.partitions()) == 2
	}, successor)
	if err != nil {
		return err
	}
	err = pollUntil(s.ctx, "the fence", func() bool { return false }, again)
	emit("static/fenced", fields{"error": errorName(err)})
	return nil
}
