import Flow
import Foundation
import Hummingbird
import Models
import Pictures
import Pipelines
import Synchronization

/// The part of the API of AUTOMATIC1111's web interface that clients use.
struct WebUIRoutes: Sendable {
  let service: PictureService
  private let progress = WebUIProgress()

  init(_ service: PictureService) { self.service = service }

  /// Adds the routes.
  func add(to router: Router<ServerContext>) {
    router.post("sdapi/v1/txt2img") { request, context in
      let fields = try await WebUIFields(
        request.json(limits: service.limits), service.limits, editing: false)
      return try await answer(fields, request, context)
    }
    router.post("sdapi/v1/img2img") { request, context in
      let fields = try await WebUIFields(
        request.json(limits: service.limits), service.limits, editing: true)
      return try await answer(fields, request, context)
    }
    router.get("sdapi/v1/sd-models") { _, _ in
      try Response(
        json: service.models.names.map {
          Model(title: $0, name: $0, hash: nil, sha256: nil, file: $0, config: nil)
        })
    }
    router.get("sdapi/v1/options") { _, _ in
      try Response(json: ["sd_model_checkpoint": progress.model ?? service.models.names[0]])
    }
    router.post("sdapi/v1/options") { request, _ in
      let options = try await request.json(limits: service.limits)
      if let name = try options.string("sd_model_checkpoint", atMost: 1000) {
        progress.choose(try service.models.name(of: name))
      }
      return try Response(json: [String: String]())
    }
    router.get("sdapi/v1/samplers") { _, _ in
      try Response(json: [Sampler(name: "Euler", aliases: ["euler"], options: [:])])
    }
    router.get("sdapi/v1/progress") { _, _ in try Response(json: progress.state) }
  }

  private struct Model: Encodable {
    let title: String
    let name: String
    let hash: String?
    let sha256: String?
    let file: String
    let config: String?

    enum CodingKeys: String, CodingKey {
      case title, hash, sha256, config
      case name = "model_name"
      case file = "filename"
    }
  }

  private struct Sampler: Encodable {
    let name: String
    let aliases: [String]
    let options: [String: String]
  }

  /// Makes the pictures of a request.
  private func answer(
    _ given: WebUIFields, _ request: Request, _ context: ServerContext
  ) async throws -> Response {
    var fields = given.pictures
    fields.model = fields.model ?? progress.model
    let order = try service.order(fields, client: context.client(request))
    let number = progress.begin(count: order.count, steps: order.request.schedule.count)
    defer { progress.end(number) }
    let files = try await context.whileConnected(seconds: service.limits.seconds) {
      var files = [String?](repeating: nil, count: order.count)
      for await event in order.events {
        switch event {
        case .step(_, let step, _, _): progress.step(number, step)
        case .finished(let place, let picture, _):
          progress.finish(number)
          let texts = try order.record(seed: order.request.seed &+ UInt64(place)).texts()
          files[place] = picture.picture.png(texts: texts).base64EncodedString()
        case .failed(let error): throw error
        }
      }
      try Task.checkCancellation()
      return files.compactMap { $0 }
    }
    let seeds = (0..<order.count).map { order.request.seed &+ UInt64($0) }
    return try Response(json: Answer(images: files, order: order, seeds: seeds))
  }

  private struct Answer: Encodable {
    let images: [String]
    let order: PictureService.Order
    let seeds: [UInt64]

    enum CodingKeys: String, CodingKey { case images, parameters, info }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(images, forKey: .images)
      try container.encode(
        Parameters(order: order, seeds: seeds, texts: nil), forKey: .parameters)
      let info = Parameters(
        order: order, seeds: seeds, texts: seeds.map { order.record(seed: $0).parameters })
      try container.encode(
        String(decoding: JSONEncoder().encode(info), as: UTF8.self), forKey: .info)
    }
  }

  /// What the pictures were made with.
  private struct Parameters: Encodable {
    let order: PictureService.Order
    let seeds: [UInt64]
    let texts: [String]?

    enum CodingKeys: String, CodingKey {
      case prompt, steps, seed, width, height, infotexts
      case negative = "negative_prompt"
      case guidance = "cfg_scale"
      case seeds = "all_seeds"
      case prompts = "all_prompts"
      case batch = "batch_size"
      case sampler = "sampler_name"
      case model = "sd_model_name"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      let request = order.request
      try container.encode(request.prompt, forKey: .prompt)
      try container.encode(request.negative ?? "", forKey: .negative)
      try container.encode(request.schedule.count, forKey: .steps)
      try container.encode(seeds[0], forKey: .seed)
      try container.encode(seeds, forKey: .seeds)
      try container.encode(seeds.map { _ in request.prompt }, forKey: .prompts)
      try container.encode(order.size.width, forKey: .width)
      try container.encode(order.size.height, forKey: .height)
      try container.encode(request.guidance ?? 1, forKey: .guidance)
      try container.encode(order.count, forKey: .batch)
      try container.encode("Euler", forKey: .sampler)
      try container.encode(order.model, forKey: .model)
      try container.encodeIfPresent(texts, forKey: .infotexts)
    }
  }
}
