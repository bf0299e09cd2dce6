import Foundation
import Models
import Runtime
import Tensors

/// Whether an autoencoder divides images into tiles, see `Autoencoder`.
public enum TileUse: Sendable {
  /// Images are processed whole.
  case never
  /// Images that are larger than a tile are processed in tiles.
  case always
  /// Images are processed whole where they fit into the memory of the devices, and in tiles otherwise.
  case whenNeeded
}

extension Autoencoder {
  /// Runs a part of the network on a batch, whole or divided.
  func run(_ part: Part, _ x: ShardedArray, _ use: TileUse) throws -> ShardedArray {
    precondition(x.type.dtype == .float32, "the autoencoder takes f32, not \(x.type)")
    switch use {
    case .never: return try whole(part, x)
    case .always: return try tiled(part, x, tile)
    case .whenNeeded: return try whereItFits(part, x)
    }
  }

  /// Runs on the whole batch, and where that does not fit on one image after the other, in tiles that
  /// become smaller until they fit.
  private func whereItFits(_ part: Part, _ x: ShardedArray) throws -> ShardedArray {
    do {
      return try whole(part, x)
    } catch let error as RuntimeError {
      let shape = x.type.shape
      if shape[0] > 1 {
        report(error, part, shape, "One image is processed after the other.")
        return try eachImage(x) { try whereItFits(part, $0) }
      }
      var last = error
      for tile in smallerTiles(than: shape, part) {
        report(last, part, shape, "It is divided into tiles of \(tile.size) × \(tile.size) pixels.")
        do {
          return try tiled(part, x, tile)
        } catch let error as RuntimeError {
          last = error
        }
      }
      throw last
    }
  }

  private func report(_ error: RuntimeError, _ part: Part, _ shape: Shape, _ measure: String) {
    guard case .outOfMemory(let needed, let limit, _) = error else { return }
    let unit = part.isEncoding ? 1 : config.reduction
    let size = ImageSize(height: shape[1] * unit, width: shape[2] * unit)
    let gigabytes = { (bytes: Int) in String(format: "%.2f GB", Double(bytes) / 1e9) }
    let plan = needed.map { ": it needs \(gigabytes($0.temporaries + $0.results))" } ?? ""
    let place = limit.map { ", and \(gigabytes($0)) are available" } ?? ""
    log(
      "\(part.isEncoding ? "Encoding" : "Decoding") \(shape[0]) × \(size) does not fit into memory"
        + "\(plan)\(place). \(measure)")
  }

  /// The chosen tiles and ever smaller ones, those that are smaller than the image.
  private func smallerTiles(than shape: Shape, _ part: Part) -> [TileSize] {
    let unit = part.isEncoding ? 1 : config.reduction
    let image = max(shape[1], shape[2]) * unit
    // Fewer latents make seams.
    let least = min(16 * config.reduction, tile.size)
    let sizes = sequence(first: tile.size) { $0 / 2 }.prefix { $0 >= least }
    return sizes.map { TileSize($0, reduction: config.reduction) }.filter { $0.size < image }
  }

  /// Runs on each image of a batch alone.
  private func eachImage(
    _ x: ShardedArray, _ body: (ShardedArray) throws -> ShardedArray
  ) throws -> ShardedArray {
    let (values, shape) = (try x.array(of: Float.self), x.type.shape)
    let (one, count) = (Shape([1] + shape.sizes.dropFirst()), shape.count / shape[0])
    var (results, type): ([Float], TensorType?) = ([], nil)
    for row in 0..<shape[0] {
      let result = try body(array(Array(values[row * count..<(row + 1) * count]), one))
      results += try result.array(of: Float.self)
      type = result.type
    }
    return try array(results, Shape([shape[0]] + type!.shape.sizes.dropFirst()))
  }

  /// Runs on tiles, which are blended where they overlap, as diffusers does; an image that is no larger
  /// than a tile is processed whole.
  private func tiled(_ part: Part, _ x: ShardedArray, _ tile: TileSize) throws -> ShardedArray {
    let (shape, reduction) = (x.type.shape, config.reduction)
    let unit = part.isEncoding ? 1 : reduction
    guard max(shape[1], shape[2]) * unit > tile.size else { return try whole(part, x) }
    let grid = TileGrid(
      shape: shape, size: tile.size / unit, stride: tile.stride / unit,
      output: part.isEncoding
        ? .init(stride: tile.stride / reduction, overlap: (tile.size - tile.stride) / reduction)
        : .init(stride: tile.stride, overlap: tile.size - tile.stride))
    let result = try grid.run(ImageValues(x.array(of: Float.self), shape)) { piece in
      let y = try whole(
        part.isEncoding ? .encode : .reconstruct, array(piece.values, piece.shape))
      return ImageValues(try y.array(of: Float.self), y.type.shape)
    }
    return try array(result.values, result.shape)
  }
}
