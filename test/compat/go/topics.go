package main

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func cluster(s *session) error {
	metadata, err := s.admin.BrokerMetadata(s.ctx)
	if err != nil {
		return err
	}
	emit("cluster/describe", fields{
		"nodes":             len(metadata.Brokers),
		"controllerIsANode": slices.Contains(metadata.Brokers.NodeIDs(), metadata.Controller),
		"clusterIdIsSet":    metadata.Cluster != "",
	})
	return nil
}

func topics(s *session) error {
	topic := s.name("topics")
	create := func(at, name string, partitions int32, replication int16, configs map[string]*string) {
		created, err := s.admin.CreateTopic(s.ctx, partitions, replication, configs, name)
		outcome("topics/"+at, err, []any{created.NumPartitions, created.ReplicationFactor})
	}
	soon, one := kadm.StringPtr("soon"), kadm.StringPtr("1")
	create("create", topic, 3, 1, map[string]*string{
		"retention.ms": kadm.StringPtr("3600000"), "cleanup.policy": kadm.StringPtr("compact"),
	})
	create("create-again", topic, 3, 1, nil)
	create("create-default-partitions", s.name("defaults"), -1, -1, nil)
	create("create-invalid-name", s.name("bad name!"), 1, 1, nil)
	create("create-zero-partitions", s.name("zero"), 0, 1, nil)
	create("create-replication-0", s.name("rf0"), 1, 0, nil)
	create(
		"create-unknown-config",
		s.name("unknown"),
		1,
		1,
		map[string]*string{"no.such.config": one},
	)
	create(
		"create-invalid-config-value",
		s.name("invalid"),
		1,
		1,
		map[string]*string{"retention.ms": soon},
	)
	validated, err := s.admin.ValidateCreateTopics(s.ctx, 1, 1, nil, s.name("validated"))
	if err != nil {
		return err
	}
	outcome("topics/validate-only", validated.Error(), nil)
	letSpread()
	emitListing(s, "topics/list")
	emitDescription(s, "topics/describe", topic)
	emitDescription(s, "topics/describe-unknown", s.name("nowhere"))
	addPartitions := func(at, name string, total int) {
		added, err := s.admin.UpdatePartitions(s.ctx, total, name)
		if err == nil {
			err = added.Error()
		}
		outcome("topics/"+at, err, nil)
	}
	addPartitions("add-partitions", topic, 5)
	addPartitions("add-partitions-unknown", s.name("nowhere"), 5)
	letSpread()
	emitDescription(s, "topics/describe-after-adding", topic)
	for _, at := range []string{"topics/delete", "topics/delete-again"} {
		_, err := s.admin.DeleteTopic(s.ctx, topic)
		outcome(at, err, nil)
	}
	letSpread()
	emitListing(s, "topics/list-after-deleting")
	create("create-replication-3", s.name("rf3"), 1, 3, nil)
	return nil
}

func emitListing(s *session, at string) {
	listed, err := s.admin.ListTopics(s.ctx)
	names := slices.DeleteFunc(
		listed.Names(),
		func(name string) bool { return !strings.HasPrefix(name, s.prefix) },
	)
	outcome(at, err, names)
}

func emitDescription(s *session, at, topic string) {
	listed, err := s.admin.ListTopics(s.ctx, topic)
	if err != nil {
		outcome(at, err, nil)
		return
	}
	detail := listed[topic]
	var partitions [][]any
	for _, partition := range detail.Partitions.Sorted() {
		partitions = append(partitions, []any{
			partition.Partition,
			partition.Leader >= 0,
			len(partition.Replicas),
			len(partition.ISR),
			errorName(partition.Err),
		})
	}
	outcome(at, detail.Err, fields{"internal": detail.IsInternal, "partitions": partitions})
}

func configs(s *session) error {
	topic := s.name("configs")
	segmentBytes := map[string]*string{"segment.bytes": kadm.StringPtr("1048576")}
	err := s.createTopic(topic, 1, segmentBytes)
	if err != nil {
		return err
	}
	described, err := describeConfigs(s, topic)
	if err != nil {
		return err
	}
	for _, config := range described {
		if !strings.HasPrefix(config.Key, "millrace.") {
			emit("configs/topic/"+config.Key, fields{
				"value": config.Value, "source": config.Source.String(), "sensitive": config.Sensitive,
			})
		}
	}
	alter := func(at, name, key string, value *string, op kadm.IncrementalOp) {
		altered, err := s.admin.AlterTopicConfigs(
			s.ctx,
			[]kadm.AlterConfig{{Op: op, Name: key, Value: value}},
			name,
		)
		if err == nil {
			err = altered[0].Err
		}
		outcome("configs/"+at, err, nil)
	}
	alter("set", topic, "retention.ms", kadm.StringPtr("60000"), kadm.SetConfig)
	alter("append", topic, "cleanup.policy", kadm.StringPtr("compact"), kadm.AppendConfig)
	emitChosen(s, "configs/after-setting")
	alter("subtract", topic, "cleanup.policy", kadm.StringPtr("delete"), kadm.SubtractConfig)
	alter("delete", topic, "retention.ms", nil, kadm.DeleteConfig)
	emitChosen(s, "configs/after-deleting")
	alter("invalid-value", topic, "retention.ms", kadm.StringPtr("soon"), kadm.SetConfig)
	alter("unknown-name", topic, "no.such.config", kadm.StringPtr("1"), kadm.SetConfig)
	alter(
		"alter-unknown-topic",
		s.name("nowhere"),
		"retention.ms",
		kadm.StringPtr("1"),
		kadm.SetConfig,
	)
	replace := []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("90000")}}
	replaced, err := s.admin.AlterTopicConfigsState(s.ctx, replace, topic)
	if err != nil {
		return err
	}
	outcome("configs/replace", replaced[0].Err, nil)
	emitChosen(s, "configs/after-replacing")
	_, err = describeConfigs(s, s.name("nowhere"))
	outcome("configs/describe-unknown-topic", err, nil)
	return nil
}

func describeConfigs(s *session, topic string) ([]kadm.Config, error) {
	described, err := s.admin.DescribeTopicConfigs(s.ctx, topic)
	if err != nil {
		return nil, err
	}
	resource := described[0]
	slices.SortFunc(
		resource.Configs,
		func(a, b kadm.Config) int { return strings.Compare(a.Key, b.Key) },
	)
	return resource.Configs, resource.Err
}

func emitChosen(s *session, at string) {
	letSpread()
	described, err := describeConfigs(s, s.name("configs"))
	if err != nil {
		outcome(at, err, nil)
	}
	for _, config := range described {
		if config.Source == kmsg.ConfigSourceDynamicTopicConfig {
			emit(at+"/"+config.Key, fields{"value": config.Value})
		}
	}
}
