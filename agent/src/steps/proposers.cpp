// The proposers that need no network: memory and templates.

#include "kw/agent/steps.h"
#include "kw/codegen/generator.h"

namespace kw::agent {
namespace {

bool same_instance(store::Match match) {
  switch (match) {
    case store::Match::SameDevice:
    case store::Match::SameArch:
    case store::Match::OtherArch:
      return true;
    case store::Match::NearestShape:
    case store::Match::NearestElsewhere:
      return false;
  }
  return false;
}

Result<std::vector<store::Known>> ask_memory(store::Store& store, const ProposeRequest& request,
                                             std::size_t limit) {
  store::BestQuery query;
  query.keys = request.spec.keys;
  query.extents = input_extents(request.task);
  query.device_class = request.device.identity.klass;
  query.arch = request.device.identity.arch;
  query.device_uuid = request.device.identity.uuid;
  query.limit = limit;
  return store.best_for(query);
}

/// What this very instance is known to be solved by. Other shapes only seed the generator.
class MemoryProposer final : public Proposer {
 public:
  explicit MemoryProposer(store::Store& store) : store_(store) {}
  ProposerKind kind() const override { return ProposerKind::Memory; }

  Result<Proposal> propose(const ProposeRequest& request, std::stop_token) override {
    KW_ASSIGN(auto known, ask_memory(store_, request, static_cast<std::size_t>(request.limit)));
    Proposal proposal;
    for (store::Known& each : known) {
      if (!same_instance(each.match)) continue;
      proposal.offers.push_back({std::move(each.candidate), std::string(to_string(each.match))});
    }
    return proposal;
  }

 private:
  store::Store& store_;
};

/// The built-in generator, and its offer under the parameters that won at the nearest other shape.
class TemplateProposer final : public Proposer {
 public:
  explicit TemplateProposer(store::Store& store) : store_(store) {}
  ProposerKind kind() const override { return ProposerKind::Template; }

  Result<Proposal> propose(const ProposeRequest& request, std::stop_token) override {
    KW_ASSIGN(std::vector<Candidate> generated,
              codegen::generate(request.task, request.device.target, request.limit));
    Proposal proposal;
    if (request.spec.memory && request.spec.objective == Objective::Best) {
      KW_RETURN_IF_ERROR(offer_neighbour(request, generated, proposal));
    }
    for (Candidate& candidate : generated) proposal.offers.push_back({std::move(candidate), {}});
    return proposal;
  }

 private:
  Status offer_neighbour(const ProposeRequest& request, const std::vector<Candidate>& generated,
                         Proposal& proposal) {
    KW_ASSIGN(const auto known, ask_memory(store_, request, 4));
    for (const store::Known& each : known) {
      if (same_instance(each.match) || each.candidate.parameters.empty()) continue;
      for (const Candidate& mine : generated) {
        if (mine.generator != each.candidate.generator || mine.cover != each.candidate.cover) {
          continue;
        }
        // A configuration that this shape does not allow is no error: it is no offer.
        auto seeded = codegen::with_parameters(request.task, mine, each.candidate.parameters,
                                               request.device.target);
        if (!seeded) continue;
        proposal.offers.push_back({std::move(*seeded), std::string(to_string(each.match))});
        return {};
      }
    }
    return {};
  }

  store::Store& store_;
};

}  // namespace

std::unique_ptr<Proposer> make_memory_proposer(store::Store& store) {
  return std::make_unique<MemoryProposer>(store);
}
std::unique_ptr<Proposer> make_template_proposer(store::Store& store) {
  return std::make_unique<TemplateProposer>(store);
}

}  // namespace kw::agent
