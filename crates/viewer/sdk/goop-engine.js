// The game engine of existing peers: its classes report that they are not available yet.

for (const name of ["GameLoop", "Renderer", "SpriteSheet", "Input", "Collision", "TileMap", "GameAudio", "SceneManager", "Entity"]) {
  globalThis[name] ??= class {
    constructor() {
      throw new Error(`${name} of goop-engine.js is not available in this version of Goop2`);
    }
  };
}
