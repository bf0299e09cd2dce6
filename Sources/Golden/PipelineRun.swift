import Models
import Pipelines

extension GoldenCase {
  /// One run of a pipeline, by the published names.
  struct PipelineRun: Decodable, Sendable {
    /// The class of the pipeline, nil for that of the model's folder.
    let cls: String?
    let prompts: [String]
    let negatives: [String]?
    /// The scale of guidance, nil for none.
    let guidance: Double?
    /// The largest norm of a guided prediction, as a multiple of the conditional one's.
    let limit: Double?
    /// The time of data from which on steps are not guided.
    let truncation: Double?
    let steps: Int
    let size: ImageSize
    /// The prompts for the second and the third text encoder; nil for the same.
    let further: [[String]?]
    let furtherNegatives: [[String]?]
    /// The number of tokens of T5.
    let t5Tokens: Int?
    /// The guidance by skipped blocks.
    let skipping: LayerSkipping?
    let conditionArea: Int?
    let latentArea: Int?
    let references: Int
    /// Whether SANA's instruction stands before prompts, nil for the pipeline's default.
    let hasInstruction: Bool?
    /// The first angle of SANA-Sprint's schedule, nil for the published one.
    let firstAngle: Double?
    /// The angle between two steps.
    let middleAngle: Double?

    private enum CodingKeys: String, CodingKey {
      case cls, prompts, prompt, height, width
      case negatives = "negative_prompts"
      case negative = "negative_prompt"
      case trueGuidance = "true_cfg_scale"
      case guidance = "guidance_scale"
      case limit = "cfg_normalization"
      case truncation = "cfg_truncation"
      case steps = "num_inference_steps"
      case conditionArea = "condition_area"
      case latentArea = "vae_area"
      case references = "n_refs"
      case prompts2 = "prompts_2"
      case prompt2 = "prompt_2"
      case prompts3 = "prompts_3"
      case prompt3 = "prompt_3"
      case negatives2 = "negative_prompts_2"
      case negative2 = "negative_prompt_2"
      case negatives3 = "negative_prompts_3"
      case negative3 = "negative_prompt_3"
      case t5Tokens = "max_sequence_length"
      case skippedLayers = "skip_guidance_layers"
      case skipScale = "skip_layer_guidance_scale"
      case skipStart = "skip_layer_guidance_start"
      case skipStop = "skip_layer_guidance_stop"
      case hasInstruction = "complex_human_instruction"
      case firstAngle = "max_timesteps"
      case middleAngle = "intermediate_timesteps"
    }

    init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      func texts(_ list: CodingKeys, _ one: CodingKeys) throws -> [String]? {
        if let all = try? keys.decodeIfPresent([String].self, forKey: list) { return all }
        return try keys.decodeIfPresent(String.self, forKey: one).map { [$0] }
      }
      cls = try keys.decodeIfPresent(String.self, forKey: .cls)
      guard let prompts = try texts(.prompts, .prompt), !prompts.isEmpty else {
        throw DecodingError.keyNotFound(
          CodingKeys.prompts, .init(codingPath: [], debugDescription: "there are no prompts"))
      }
      self.prompts = prompts
      negatives = try texts(.negatives, .negative)
      further = try [texts(.prompts2, .prompt2), texts(.prompts3, .prompt3)]
      furtherNegatives = try [texts(.negatives2, .negative2), texts(.negatives3, .negative3)]
      t5Tokens = try keys.decodeIfPresent(Int.self, forKey: .t5Tokens)
      skipping = try keys.decodeIfPresent([Int].self, forKey: .skippedLayers).map { layers in
        var skipping = LayerSkipping(layers: layers)
        for (key, path) in [
          (CodingKeys.skipScale, \LayerSkipping.scale), (.skipStart, \.start), (.skipStop, \.stop),
        ] {
          if let number = try keys.decodeIfPresent(Double.self, forKey: key) {
            skipping[keyPath: path] = number
          }
        }
        return skipping
      }
      guidance =
        try keys.decodeIfPresent(Double.self, forKey: .trueGuidance)
        ?? keys.decodeIfPresent(Double.self, forKey: .guidance)
      // The published setting is a number, or true for 1.
      if let number = try? keys.decodeIfPresent(Double.self, forKey: .limit) {
        limit = number > 0 ? number : nil
      } else {
        limit = try keys.decodeIfPresent(Bool.self, forKey: .limit) == true ? 1 : nil
      }
      truncation = try keys.decodeIfPresent(Double.self, forKey: .truncation)
      steps = try keys.decode(Int.self, forKey: .steps)
      size = ImageSize(
        height: try keys.decode(Int.self, forKey: .height),
        width: try keys.decode(Int.self, forKey: .width))
      conditionArea = try keys.decodeIfPresent(Int.self, forKey: .conditionArea)
      latentArea = try keys.decodeIfPresent(Int.self, forKey: .latentArea)
      references = try keys.decodeIfPresent(Int.self, forKey: .references) ?? 0
      hasInstruction = try keys.decodeIfPresent(Bool.self, forKey: .hasInstruction)
      firstAngle = try keys.decodeIfPresent(Double.self, forKey: .firstAngle)
      middleAngle = try keys.decodeIfPresent(Double.self, forKey: .middleAngle)
    }
  }
}
