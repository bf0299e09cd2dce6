import Flow
import Foundation
import Models
import Pictures

/// A request of OpenAI's images API, with what this server adds.
struct OpenAIFields: Sendable {
  /// The pictures.
  var pictures = PictureFields()
  /// The format of the files.
  var format = PictureFormat.png
  /// The quality of formats with loss, from 0 to 100.
  var quality = 95
  /// Whether pictures are answered by address.
  var wantsAddress = false
  /// Whether the answer is a stream of events.
  var streams = false

  /// The most characters of short texts, such as names.
  private static let name = 1000

  /// Reads a request for pictures.
  ///
  /// - Throws: `APIError` that names the parameter that is wrong.
  init(generation given: RequestParameters, _ limits: ServerLimits) throws(APIError) {
    pictures.prompt = try given.requiredString("prompt", atMost: limits.promptLength)
    try read(given, limits)
  }

  /// Reads a request to edit images.
  ///
  /// - Throws: `APIError` that names the parameter that is wrong.
  init(edit form: RequestForm, _ limits: ServerLimits) throws(APIError) {
    let given = form.parameters
    pictures.prompt = try given.requiredString("prompt", atMost: limits.promptLength)
    pictures.images = try form.images("image", limits)
    guard !pictures.images.isEmpty else { throw .missing("image") }
    if let mask = try form.mask("mask", limits) {
      let image = pictures.images[0]
      guard mask.width == image.width, mask.height == image.height else {
        throw .invalid(
          "The mask is \(mask.width) × \(mask.height), and the image \(image.width) × "
            + "\(image.height). Send a mask of the image's size.",
          param: "mask", code: "invalid_mask_size")
      }
      pictures.mask = mask
    }
    pictures.strength = try given.number("strength", in: 0.01...1) ?? pictures.strength
    try read(given, limits)
  }

  /// Reads what both kinds of requests have.
  private mutating func read(
    _ given: RequestParameters, _ limits: ServerLimits
  ) throws(APIError) {
    pictures.model = try given.string("model", atMost: Self.name)
    pictures.count = try given.integer("n", in: 1...limits.pictures) ?? 1
    pictures.size = try given.size("size", sides: 1...8192)
    if let size = pictures.size, size.height * size.width > limits.pixels {
      throw .invalid(
        "The size is \(size.description), and at most \(limits.pixels) pixels were expected.",
        param: "size", code: "invalid_value")
    }
    // The qualities of the hosted models have no counterpart.
    _ = try given.string("quality", atMost: Self.name)
    if try given.choice("background", ["auto", "opaque", "transparent"]) == "transparent" {
      throw .invalid(
        "The models of this server make no transparent pictures. Ask for auto or opaque.",
        param: "background", code: "invalid_value")
    }
    format = try given.choice("output_format") ?? .png
    quality = try given.integer("output_compression", in: 0...100) ?? quality
    wantsAddress = try given.choice("response_format", ["b64_json", "url"]) == "url"
    streams = try given.bool("stream") ?? false
    pictures.previews = try given.integer("partial_images", in: 0...8) ?? 0
    if !streams { pictures.previews = 0 }
    try readExtensions(given, limits)
  }

  /// Reads what is not in OpenAI's API, named as vLLM-Omni does.
  private mutating func readExtensions(
    _ given: RequestParameters, _ limits: ServerLimits
  ) throws(APIError) {
    let negative = try given.string("negative_prompt", atMost: limits.promptLength)
    pictures.negative = negative.flatMap { $0.isEmpty ? nil : $0 }
    pictures.steps = try given.integer("num_inference_steps", in: 1...limits.steps)
    pictures.guidance = try given.number("guidance_scale", in: 0...100)
    pictures.seed = try given.integer("seed", in: 0...UInt64.max)
    pictures.style = try given.choice("twinflow_style")
    let loras = try given.objects("loras", atMost: 8) ?? []
    for lora in loras {
      pictures.loras.append(
        ServedModelKey.LoRA(
          name: try lora.requiredString("name", atMost: Self.name),
          scale: try lora.number("scale", in: -10...10) ?? 1))
    }
  }
}
