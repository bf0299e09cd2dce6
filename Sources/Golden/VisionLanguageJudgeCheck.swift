import Foundation
import Pictures
import Pipelines
import Runtime
import Tensors

extension GoldenCase {
  private struct QuestionSettings: Decodable {
    struct Message: Decodable {
      struct Part: Decodable {
        let type: String
        let text: String?
        let image: String?
      }
      let role: String
      let content: [Part]

      private enum CodingKeys: String, CodingKey { case role, content }

      init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        role = try keys.decode(String.self, forKey: .role)
        if let text = try? keys.decode(String.self, forKey: .content) {
          content = [Part(type: "text", text: text, image: nil)]
        } else {
          content = try keys.decode([Part].self, forKey: .content)
        }
      }
    }
    let runs: [String: [[Message]]]
    let yes: [String]
    let no: [String]
    let max_new_tokens: Int?
    let chat_text: [String: [String]]?
  }

  /// Compares a network's prompts, logits, probabilities of answers, and texts.
  func checkVisionLanguageJudge(on client: Client) throws -> [Comparison] {
    let settings: QuestionSettings = try settings()
    let engine = Engine(client: client, cache: ExecutableCache())
    return try naming {
      let judge = try VisionLanguageJudge(modelPath, precision: .float32, multiple: 1, on: engine)
      let answers = [settings.yes, settings.no]
      var found = Named([
        (
          "answer_ids",
          HostArray(
            answers.map { $0.map { judge.firstToken(of: $0) } },
            [answers.count, settings.yes.count])
        )
      ])
      for (name, messages) in settings.runs {
        let conversations = try messages.map { try conversation($0) }
        if let texts = settings.chat_text?[name], texts != conversations.map(judge.text) {
          throw fail("the text of its run \(name) is another one")
        }
        found = try found.merging(
          outputs(of: judge, name, conversations, settings))
      }
      return try comparisons(expected.names, found) { name in
        let integers = [
          "ids", "mask", "position_ids", "rope_deltas", "image_grid_thw", "generated",
        ]
        return integers.contains { name.hasSuffix($0) }
      }
    }
  }

  private func conversation(_ messages: [QuestionSettings.Message]) throws -> Conversation {
    Conversation(
      try messages.map { message in
        Conversation.Message(
          role: message.role,
          try message.content.map { part in
            guard let image = part.image else { return .text(part.text ?? "") }
            return .picture(RGBImage(try picture(image)))
          })
      })
  }

  private func outputs(
    of judge: VisionLanguageJudge, _ run: String, _ conversations: [Conversation],
    _ settings: QuestionSettings
  ) throws -> Named<HostArray> {
    let prompts = try judge.prompts(conversations)
    let batch = prompts.rows.count
    var found = Named<HostArray>()
    for side in ["", "_left", "_right"] {
      found.merge(try layout(prompts, isLeft: side != "_right", name: run + side, judge))
    }
    // The pictures in their order, those of several prompts each time.
    let patches = try judge.processor(conversations.flatMap(\.pictures))
    found["\(run).pixel_values"] = HostArray(
      patches.values.array(of: Float.self), patches.values.type.shape.sizes)
    found["\(run).image_grid_thw"] = HostArray(
      patches.grids.map { [1, $0.height, $0.width] }, [patches.grids.count, 3])
    if let features = try judge.features(of: prompts) {
      let places = prompts.rows.flatMap { $0.imageRows.filter { $0 >= 0 }.map { Int($0) } }
      for (name, array) in features.pairs {
        let all = HostArray(try array.array(of: Float.self), array.type.shape.sizes)
        let output = name == "images" ? "image_embeds" : name
        found["\(run).\(output)"] = all.rows(places.map { $0..<$0 + 1 })
      }
    }
    let logits = try judge.logits(prompts)
    for side in ["", "_left", "_right"] { found["\(run)\(side).last_logits"] = HostArray(logits) }
    let each = try [settings.yes, settings.no].map {
      try judge.probabilities(of: $0, to: conversations)
    }
    found["\(run).p_yes"] = HostArray(each[0].map { Float($0.reduce(0, +)) }, [batch])
    found["\(run).p_no"] = HostArray(each[1].map { Float($0.reduce(0, +)) }, [batch])
    let spellings = (0..<batch).flatMap { row in each.flatMap { $0[row].map { Float($0) } } }
    found["\(run).p_spellings"] = HostArray(
      spellings, [batch, 2, spellings.count / max(1, 2 * batch)])
    guard expected["\(run).generated"] != nil, let limit = settings.max_new_tokens else {
      return found
    }
    let texts = try judge.generate(prompts, limit: limit, keepsLogits: true)
    let steps = texts[0].tokens.count
    found["\(run).generated"] = HostArray(texts.map(\.tokens), [batch, steps])
    let best = texts.flatMap { text in
      text.logits.map { row in
        row.indices.sorted { (row[$0], $1) > (row[$1], $0) }.prefix(8).map { ($0, row[$0]) }
      }
    }
    found["\(run).generated_top8_ids"] = HostArray(best.map { $0.map(\.0) }, [batch, steps, 8])
    found["\(run).generated_top8_logits"] = HostArray(
      best.flatMap { $0.map(\.1) }, [batch, steps, 8])
    return found
  }

  /// The tokens of padded prompts; at padding, what the case has.
  private func layout(
    _ prompts: VisionLanguageJudge.Prompts, isLeft: Bool, name: String, _ judge: VisionLanguageJudge
  ) throws -> Named<HostArray> {
    let rows = prompts.rows
    let (batch, length) = (rows.count, rows.map(\.tokens.count).max() ?? 0)
    func padded(_ output: String, axes: Int = 1, _ values: (Int, Int) -> [Int32]) -> HostArray {
      let shape = axes > 1 ? [axes, batch, length] : [batch, length]
      let filler = expected["\(name).\(output)"]
      var all: [Float] = []
      for axis in 0..<axes {
        for row in 0..<batch {
          let own = values(axis, row).map { Float($0) }
          let start = (axis * batch + row) * length
          let missing = length - own.count
          let places = isLeft ? start..<start + missing : start + own.count..<start + length
          let padding = places.map { place in
            filler.flatMap { place < $0.values.count ? $0.values[place] : nil } ?? 0
          }
          all += isLeft ? padding + own : own + padding
        }
      }
      return HostArray(all, shape)
    }
    let mask = rows.map { row in
      let padding = [Int32](repeating: 0, count: length - row.tokens.count)
      let own = row.tokens.map { _ in Int32(1) }
      return isLeft ? padding + own : own + padding
    }
    return Named([
      ("input_ids", padded("input_ids") { rows[$1].tokens }),
      ("attention_mask", HostArray(mask, [batch, length])),
      (
        "mm_token_type_ids",
        padded("mm_token_type_ids") { rows[$1].imageRows.map { $0 >= 0 ? 1 : 0 } }
      ),
      ("position_ids", padded("position_ids", axes: 3) { rows[$1].positions[$0] }),
      (
        "rope_deltas",
        HostArray(rows.map { [Int($0.next) - $0.tokens.count] }, [batch, 1])
      ),
    ]).prefixed(name)
  }
}
